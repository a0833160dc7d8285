package session

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// build compiles a program of testdata where the tests' user can run it.
func build(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rexecd-session-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, name)
	if out, err := exec.Command("cc", "-Wall", "-Wextra", "-o", program, "testdata/"+name+".c").CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return program
}

func traced(program string) *Command {
	return (&Command{Shell: program, Argv: []string{"traced"}, Home: "/"}).as(someUID)
}

func TestATracerCannotKeepTheEndOfTheCommand(t *testing.T) {
	needRoot(t)
	program := build(t, "traced")
	for name, stopped := range map[string]bool{"in its own time": false, "asked to stop": true} {
		t.Run(name, func(t *testing.T) {
			r, err := begin(t, traced(program))
			if err != nil {
				t.Fatal(err)
			}
			s, signals := stop(t)
			unix.Poll([]unix.PollFd{{Fd: int32(r.pidfd), Events: unix.POLLIN}}, int(patienceOfTests/time.Millisecond))
			if stopped {
				time.AfterFunc(100*time.Millisecond, func() { unix.Write(signals, []byte{15}) })
			}
			began := time.Now()
			status, err := r.attendTo(Attention{Stop: s})
			took := time.Since(began)
			if status != (Status{Exit: 7}) || !errors.Is(err, errTraced) {
				t.Errorf("Attend = %+v, %v; want 7 in spite of the tracer", status, err)
			}
			if took > patienceOfTests/2 || stopped == (took > tracedTime) {
				t.Errorf("it took %v", took)
			}
			unix.Kill(-r.pid, unix.SIGKILL)
		})
	}
}

// Without the right to trace, the user's ids are enough; without those the status
// is not known, and not said to be 0.
func TestTheStatusOfATracedCommandIsKnownOrSaidNotToBe(t *testing.T) {
	needRoot(t)
	t.Setenv("SESSION_TEST_PROGRAM", build(t, "traced"))
	for name, want := range map[string]string{
		"traced":         "exit 7, unknown false",
		"traced by root": "exit -1, unknown true",
	} {
		if got := again(t, name, `exec setpriv --bounding-set -sys_ptrace "$0"`, nil); got != want {
			t.Errorf("%s: %s; want %s", name, got, want)
		}
	}
}

func tracedAlone(groups bool) func() error {
	return func() error {
		if groups {
			if err := SetGroups(someUID, nil); err != nil {
				return err
			}
		}
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		c := traced(os.Getenv("SESSION_TEST_PROGRAM"))
		c.Streams = Streams{p[1], p[1], p[1]}
		process, err := Start(c)
		if err != nil {
			return err
		}
		status, err := process.end()
		unix.Kill(-process.pid, unix.SIGKILL)
		if err != errTraced {
			return fmt.Errorf("%+v, %w", status, errors.Join(err, errWrong))
		}
		fmt.Printf("exit %d, unknown %v\n", status.Exit, status.Unknown)
		return nil
	}
}

func TestStatusSaysWhatTheCommandUsed(t *testing.T) {
	r, err := begin(t, sh(`i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done`))
	if err != nil {
		t.Fatal(err)
	}
	status, err := r.Attend(Attention{Stop: noStop(t)})
	if u := status.Usage; err != nil || u.User+u.System < time.Millisecond ||
		u.User+u.System > patienceOfTests || u.MaxRSS < 100<<10 || u.MaxRSS > 1<<30 {
		t.Errorf("usage %+v, %v", u, err)
	}
}
