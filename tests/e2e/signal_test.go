package e2e

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// trapping answers each signal with its name. The sleep is short because a shell runs a trap
// between two commands.
const trapping = `for s in HUP INT USR1 USR2 TERM WINCH; do trap "echo $s" $s; done; echo ready; while :; do sleep 0.02; done`

func TestEachByteOnTheStderrConnectionIsASignal(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.Addr, u.Name, u.Password, trapping).Started(t)
	session.Line(t)
	for _, c := range []struct {
		name string
		sig  syscall.Signal
	}{{"HUP", syscall.SIGHUP}, {"INT", syscall.SIGINT}, {"USR1", syscall.SIGUSR1}, {"USR2", syscall.SIGUSR2}, {"TERM", syscall.SIGTERM}, {"WINCH", syscall.SIGWINCH}} {
		// 0 is no signal, and none has a number above 64.
		session.Signal(t, 0, byte(c.sig), 0)
		if got := session.Line(t); got != c.name {
			t.Errorf("after byte %d the command saw %s; want %s", c.sig, got, c.name)
		}
		session.Signal(t, 65, 128, 128+byte(c.sig), 255)
	}
	session.Signal(t, byte(syscall.SIGUSR1), 0, 200, byte(syscall.SIGUSR2)) // several at once, any order
	got := map[string]bool{session.Line(t): true, session.Line(t): true}
	if !got["USR1"] || !got["USR2"] {
		t.Errorf("after two signals in one write the command saw %v", got)
	}
	session.Signal(t, byte(syscall.SIGKILL))
	if a := session.Rest(t); len(a.All) != 0 || a.Err != nil {
		t.Errorf("after SIGKILL: %v", a)
	}
	r := s.Log.Wait(t, "Session closed for "+u.Name+" from 127.0.0.1 port ")
	wantMatch(t, "message", r["MESSAGE"], `.*: killed by signal 9 \(KILL\) after [0-9.]+s, cpu [0-9.]+s, [0-9]+ MB`)
}

func TestSignalsGoToTheWholeProcessGroup(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.Addr, u.Name, u.Password, `sleep 1000 & echo $!; sleep 1000 | sleep 1000; echo not reached`).Started(t)
	child := session.Line(t)
	session.Signal(t, byte(syscall.SIGTERM))
	if a := session.Rest(t); len(a.All) != 0 || a.Err != nil { // the end of file: nobody of the group is left
		t.Errorf("after SIGTERM: %v", a)
	}
	lab.Eventually(t, "the child's end", func() bool { return !alive(child) })
}

func TestAStoppedCommandCanBeContinued(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	session, pid, _ := held(t, s, u)
	state := func() string { return field(t, read("/proc/"+pid+"/status"), "State") }
	session.Signal(t, byte(syscall.SIGSTOP))
	lab.Eventually(t, "the command to stop", func() bool { return strings.HasPrefix(state(), "T") })
	session.Signal(t, byte(syscall.SIGCONT))
	lab.Eventually(t, "the command to go on", func() bool { return strings.HasPrefix(state(), "S") })
	if a := session.Rest(t); a.Err != nil {
		t.Errorf("%v", a)
	}
}

func TestSignalsAreSentWithTheUsersRights(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	// A program that a user may start and may not signal: it becomes root altogether.
	dir := openDir(t)
	become := dir + "/become-root"
	if err := exec.Command("cp", "/usr/bin/setpriv", become).Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(become, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	command := become + ` --reuid 0 --regid 0 --clear-groups sleep 1000 & r=$!; sleep 1000 & echo $r $! $$; wait`
	session := lab.Open(t, s.Addr, u.Name, u.Password, command).Started(t)
	pids := strings.Fields(session.Line(t))
	asRoot, asUser := pids[0], pids[1]
	defer exec.Command("kill", "-9", asRoot).Run()
	lab.Eventually(t, "the process to become root", func() bool {
		if !alive(asRoot) {
			t.Fatalf("%v", session.Rest(t))
		}
		return strings.HasPrefix(field(t, read("/proc/"+asRoot+"/status"), "Uid"), "0\t0\t0") && read("/proc/"+asRoot+"/comm") == "sleep\n"
	})
	session.Signal(t, byte(syscall.SIGTERM))
	lab.Eventually(t, "the end of the user's process", func() bool { return !alive(asUser) && !alive(pids[2]) })
	session.Signal(t, byte(syscall.SIGKILL))
	s.Process(t, 0).Wait(t) // every signal has been sent or dropped
	if !alive(asRoot) {
		t.Error("a signal from the stderr connection ended a process of root")
	}
}

func TestTheEndOfTheStderrConnectionIsNotTheEndOfAnything(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.Addr, u.Name, u.Password, "echo begun; cat; echo late >&2").Started(t)
	session.Line(t)
	if err := session.Stderr.CloseWrite(); err != nil { // as GNU's client does at once
		t.Fatal(err)
	}
	session.Primary.Write([]byte("input"))
	if a := session.Rest(t); string(a.All) != "input" || string(a.Stderr) != "late\n" || a.Err != nil {
		t.Errorf("%v", a)
	}
	s.Log.Wait(t, "exit status 0 after")
}

func TestAHalfClosedPrimaryIsTheEndOfTheCommandsInputAlone(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, settings := range []string{"", `on_disconnect = "hangup"`} {
		s := serve(t, lab.Handler{Settings: settings})
		session := lab.Open(t, s.Addr, u.Name, u.Password, "cat; sleep 0.3; echo late").Started(t)
		if a := session.Rest(t); string(a.All) != "late\n" || a.Err != nil {
			t.Errorf("with settings %q: %v", settings, a)
		}
		s.Log.Wait(t, "exit status 0 after")
	}
}

// Urgent data is outside of the stream that signals are read from.
func TestASignalAsUrgentDataIsIgnored(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.Addr, u.Name, u.Password, trapping).Started(t)
	session.Line(t)
	raw, err := session.Stderr.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sent error
	if err := raw.Write(func(fd uintptr) bool {
		sent = syscall.Sendto(int(fd), []byte{byte(syscall.SIGKILL)}, syscall.MSG_OOB, nil)
		return true
	}); err != nil || sent != nil {
		t.Fatalf("send urgent data: %v, %v", err, sent)
	}
	session.Signal(t, byte(syscall.SIGUSR1))
	if got := session.Line(t); got != "USR1" {
		t.Errorf("after urgent data and byte %d the command saw %q", syscall.SIGUSR1, got)
	}
	session.Signal(t, byte(syscall.SIGKILL))
	session.Rest(t)
}
