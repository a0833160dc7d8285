package session

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// probing is the probe as the tests' user.
func probing(program, what string) *Command {
	return (&Command{Shell: program, Argv: []string{"probe", "-c", what}, Home: "/"}).as(someUID)
}

func TestCommandCannotBecomeRootNorReachItsParent(t *testing.T) {
	needRoot(t)
	if got := output(t, probing(probe(t), "regain")); got != "done\n" {
		t.Errorf("the command\n%s", got)
	}
}

// kill(2) looks at the thread whose id is named: one thread that is the user's
// would be enough to end the whole parent, before it has closed the session.
func TestUserCannotSignalTheParentWhileItSendsSignals(t *testing.T) {
	needRoot(t)
	r, err := begin(t, probing(probe(t), "threads"))
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
		r.kill(unix.SIGURG) // ignored by default, and still sent
	}
	unix.Shutdown(r.primary.Fd(), unix.SHUT_WR)
	if got := all(t, r.primary); got != "\x00tried\ndone\n" {
		t.Errorf("the command\n%s", got)
	}
	r.attend(t)
}

func TestSignalsAreSentWithTheUsersRightsAndNoMore(t *testing.T) {
	needRoot(t)
	program := probe(t)
	if err := os.Chmod(program, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	r, err := begin(t, probing(program, "root"))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.line(t); got != "\x00waiting" {
		t.Fatalf("%q; is TMPDIR on a file system without setuid programs?", got)
	}
	r.kill(unix.SIGUSR1)
	if got := r.line(t); got != "left alone" {
		t.Errorf("root's process in the user's group was %s", got)
	}
	// And they are given back: this thread is root's again, and nobody can look at it.
	var ids [3]int
	ids[0], ids[1], ids[2] = unix.Getresuid()
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); ids != [3]int{} || dumpable != 0 ||
		err != nil {
		t.Errorf("ids %v, dumpable %d (%v) after a signal; want root's, 0", ids, dumpable, err)
	}
	all(t, r.primary)
	r.attend(t)
}

func TestSignalToTheUsersOwnProcessArrives(t *testing.T) {
	needRoot(t)
	r, err := begin(t, sh(`trap 'exit 3' USR1; echo ready; while :; do sleep 0.01; done`).as(someUID))
	if err != nil {
		t.Fatal(err)
	}
	r.line(t)
	r.kill(unix.SIGUSR1)
	if got := r.attend(t); got != (Status{Exit: 3}) {
		t.Errorf("status %+v; want 3", got)
	}
}

// A container has 65,536 ids, of which "nobody" is an account's.
func TestSignalsAreSentInANamespaceOfFewIDs(t *testing.T) {
	needRoot(t)
	ids := []syscall.SysProcIDMap{{Size: 1 << 16}}
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
		GidMappingsEnableSetgroups: true}
	if got := again(t, "few ids", `exec "$0"`, attr); got != "exit 3, ids 0 0 0" {
		t.Errorf("the command's %s", got)
	}
}

func fewIDsAlone() error {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c := sh(`exec 2>/dev/null; trap 'exit 3' USR1; echo; for i in $(seq 1000); do sleep 0.01; done`).as(someUID)
	c.Streams = Streams{p[1], p[1], 2}
	process, err := Start(c)
	if err != nil {
		return err
	}
	for line := make([]byte, 2); len(line) > 0; { // the status byte and the line: the trap is set
		n, err := unix.Read(p[0], line)
		if err != nil {
			return err
		}
		line = line[n:]
	}
	process.kill(unix.SIGUSR1)
	status, err := process.end()
	r, e, s := unix.Getresuid()
	fmt.Printf("exit %d, ids %d %d %d\n", status.Exit, r, e, s)
	return err
}

func TestStartLeavesTheProcessClosedToOthers(t *testing.T) {
	needRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := undumpable(); err != nil {
		t.Fatal(err)
	}
	output(t, sh("exit 0").as(someUID))
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); dumpable != 0 || err != nil {
		t.Errorf("dumpable %d, %v; want 0", dumpable, err)
	}
	if got := unix.Getuid(); got != 0 {
		t.Errorf("uid %d", got)
	}
}
