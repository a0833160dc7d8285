package systemd

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// The shipped stack, pam_systemd in it: whatever it says of a session's end with all
// capabilities, it says with those alone that the server keeps for itself.
func TestALogindSessionIsClosedWithoutCapabilities(t *testing.T) {
	prepareHost(t)
	t.Cleanup(func() { setSettings(t, settings) })
	enable(t)
	setSettings(t, settings)
	with := endOfSession(t, "")
	setSettings(t, "keep_capabilities = []\n"+settings)
	without := endOfSession(t, "CapEff:\t00000000200000a0\nCapBnd:\t00000000200000a0\n") // cap_kill, cap_setuid, cap_audit_write
	if with != without || !strings.Contains(with, "session closed for user alice") {
		t.Errorf("with all capabilities:\n%swithout:\n%s", with, without)
	}
}

// What differs from one session to the next.
var ofOneSession = regexp.MustCompile(`port [0-9]+|after [0-9.]+s`)

// endOfSession runs a command while the server has what is in its status file, ends it, and
// returns what the server logged.
func endOfSession(t *testing.T, capabilities string) string {
	t.Helper()
	s := lab.Open(t, addr, "alice", "correct-horse", "trap 'exit 7' USR1; echo $XDG_SESSION_ID $PPID; while :; do sleep 0.02; done").Started(t)
	var id, server string
	if _, err := fmt.Sscan(s.Line(t), &id, &server); err != nil {
		t.Fatalf("no logind session, or no server: %v", err)
	}
	lab.Eventually(t, "the server to be cut", func() bool {
		status, err := os.ReadFile("/proc/" + server + "/status")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(status), capabilities)
	})
	s.Signal(t, byte(syscall.SIGUSR1))
	s.Rest(t)
	lab.Eventually(t, "the end of session "+id, func() bool {
		out, err := says("loginctl", "show-session", id, "-p", "State")
		return err != nil || strings.Contains(out, "No session")
	})
	awaitEntry(t, "Session closed for alice", "_PID="+server)
	var said []string
	for _, e := range journal(t, "_PID="+server) {
		said = append(said, ofOneSession.ReplaceAllString(fmt.Sprintln(e["MESSAGE"]), "…"))
	}
	slices.Sort(said) // they come by two sockets
	return strings.Join(said, "")
}
