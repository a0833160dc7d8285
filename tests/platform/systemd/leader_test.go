package systemd

import (
	"net"
	"os"
	"testing"

	"rexecd/tests/lab"
)

// logind signals the leader of a session for the session's own user, even
// though the leader is root's. in.rexecd(8), "PAM", names the consequences.
func TestAUserMaySignalTheWaitingServerThroughLogind(t *testing.T) {
	enable(t)
	const kill = "loginctl kill-session --kill-who=leader --signal="
	s := lab.Open(t, addr, "alice", "correct-horse", "echo $XDG_SESSION_ID; "+kill+"KILL $XDG_SESSION_ID && "+
		"while [ -d /proc/$PPID ]; do sleep 0.1; done; echo on its own; cat").Started(t)
	id := s.Line(t)
	if line := s.Line(t); line != "on its own" {
		t.Fatalf("the command says %q; want it to outlive the server", line)
	}
	if a := s.Rest(t); a.Err != nil {
		t.Errorf("the command's end: %v", a)
	}
	lab.Eventually(t, "the end of session "+id, func() bool {
		_, err := says("loginctl", "show-session", id)
		return err != nil
	})
	next := lab.Open(t, addr, "alice", "correct-horse", "echo served").Started(t)
	if line := next.Line(t); line != "served" {
		t.Errorf("the next connection: %q", line)
	}
	_, after, _ := net.SplitHostPort(next.Primary.LocalAddr().String())
	next.Rest(t)
	awaitEntry(t, "Session closed", "REXEC_OUTCOME=closed", "REXEC_PEER_PORT="+after) // later than any of the first
	_, port, _ := net.SplitHostPort(s.Primary.LocalAddr().String())
	if n := len(journal(t, "REXEC_OUTCOME=closed", "REXEC_PEER_PORT="+port)); n != 0 {
		t.Errorf("%d records of the end, from a process that was killed", n)
	}
}

// Another user's session is none of alice's.
func TestLogindSignalsNobodyElsesServer(t *testing.T) {
	enable(t)
	if _, err := os.Stat("/home/robert"); err != nil {
		lab.AddUser(t, lab.User{Name: "robert", Password: "x"})
	}
	s := lab.Open(t, addr, "robert", "x", "echo $XDG_SESSION_ID; cat").Started(t)
	id := s.Line(t)
	if a := ask(t, "loginctl kill-session --no-ask-password --kill-who=leader --signal=KILL "+id+" 2>/dev/null || echo refused"); a.Out() != "refused\n" {
		t.Errorf("alice kills the leader of session %s, robert's: %v", id, a)
	}
	if a := s.Rest(t); a.Err != nil {
		t.Errorf("robert's session: %v", a)
	}
	awaitEntry(t, "Session closed for robert", "-t", "in.rexecd", "REXEC_USER=robert", "REXEC_OUTCOME=closed")
}
