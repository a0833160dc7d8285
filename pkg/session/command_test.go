package session

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patienceOfTests bounds what must happen, on a busy machine too.
const patienceOfTests = 20 * time.Second

// someUID is the id of the tests' user. No passwd entry is needed.
const someUID = 54321

// A run is a command that was started for a test, and the other ends of its
// descriptors.
type run struct {
	*Process
	primary, stderr sock
}

// A sock is one end of a stream socket pair, blocking, as a Process gets it.
type sock struct{ fd *int }

func (s sock) Fd() int { return *s.fd }
func (s sock) Close() {
	if *s.fd >= 0 {
		unix.Close(*s.fd)
		*s.fd = -1
	}
}

// Read takes what is there and never waits.
func (s sock) Read(p []byte) (int, error) {
	n, _, err := unix.Recvfrom(*s.fd, p, unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN:
		return 0, os.ErrDeadlineExceeded
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return n, err
}

func pair(t *testing.T) (sock, sock) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := sock{&p[0]}, sock{&p[1]}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// sh is a command for /bin/sh, run as this process's user in /.
func sh(script string) *Command {
	return &Command{Shell: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Home: "/"}
}

// as makes the command somebody else's.
func (c *Command) as(uid int) *Command {
	c.UID, c.GID, c.ChangeIdentity = uid, uid, true
	return c
}

// begin starts the command on the calling thread, which it locks.
func begin(t *testing.T, c *Command) (*run, error) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	primary, theirs := pair(t)
	stderr, theirErr := pair(t)
	c.Streams = Streams{theirs.Fd(), theirs.Fd(), theirErr.Fd()}
	p, err := Start(c)
	theirs.Close()
	theirErr.Close()
	r := &run{p, primary, stderr}
	if err == nil {
		t.Cleanup(func() {
			// A process of the test's that is still there would be seen by the next one.
			unix.Kill(-p.pid, unix.SIGKILL)
			unix.Wait4(p.pid, nil, 0, nil)
		})
	}
	return r, err
}

// all reads a descriptor to its end.
func all(t *testing.T, s sock) string {
	t.Helper()
	tv := unix.NsecToTimeval(patienceOfTests.Nanoseconds())
	unix.SetsockoptTimeval(s.Fd(), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	var b []byte
	for buf := make([]byte, 64<<10); ; {
		n, err := unix.Read(s.Fd(), buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil && err != unix.ECONNRESET {
			t.Fatalf("read what the command said: %v (so far %q)", err, b)
		}
		if n <= 0 {
			return string(b)
		}
		b = append(b, buf[:n]...)
	}
}

// line reads one line that the command says while it runs.
func (r *run) line(t *testing.T) string {
	t.Helper()
	var b []byte
	fds := []unix.PollFd{{Fd: int32(r.primary.Fd()), Events: unix.POLLIN}}
	for until := time.Now().Add(patienceOfTests); time.Now().Before(until); {
		if n, _ := unix.Poll(fds, 1000); n == 0 {
			continue
		}
		var c [1]byte
		if n, err := unix.Read(r.primary.Fd(), c[:]); n != 1 {
			t.Fatalf("read a line: %v after %q", err, b)
		}
		if c[0] == '\n' {
			return string(b)
		}
		b = append(b, c[0])
	}
	t.Fatalf("no line within %v: %q", patienceOfTests, b)
	return ""
}

// attend waits for the command's end with nothing to watch but it.
func (r *run) attend(t *testing.T) Status {
	t.Helper()
	status, err := r.attendTo(Attention{Stop: noStop(t)})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// end waits for the command's end and takes its status.
func (p *Process) end() (Status, error) {
	unix.Poll([]unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}, int(patienceOfTests/time.Millisecond))
	status, err := p.reap(&Stop{fd: -1}, time.Time{})
	status.Usage = Usage{}
	return status, err
}

// attendTo is Attend without what the command used.
func (p *Process) attendTo(a Attention) (Status, error) {
	status, err := p.Attend(a)
	status.Usage = Usage{}
	return status, err
}

// noStop is a Stop that nobody asks of.
func noStop(t *testing.T) *Stop {
	s, _ := stop(t)
	return s
}

// stop is a Stop of the test's own, and where its signals are written.
func stop(t *testing.T) (*Stop, int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return &Stop{fd: p[0]}, p[1]
}

// output runs a command to its end and returns what it said after the status byte.
func output(t *testing.T, c *Command) string {
	t.Helper()
	r, err := begin(t, c)
	if err != nil {
		t.Fatal(err)
	}
	out := all(t, r.primary)
	if out == "" || out[0] != 0 {
		t.Fatalf("the primary begins with %.40q; want the status byte", out)
	}
	if status := r.attend(t); status != (Status{}) {
		t.Errorf("the command ended with %+v; stderr %q", status, all(t, r.stderr))
	}
	return out[1:]
}

// needRoot is for what only root can do.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("needs root")
	}
	t.Skip("needs root")
}

func probe(t *testing.T) string { return build(t, "probe") }

// Some things are a process's own: the test binary is started again for them.
func TestMain(m *testing.M) {
	if name := os.Getenv("SESSION_TEST"); name != "" {
		runtime.LockOSThread()
		if err := alone[name](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// again runs one of alone in a process started by a shell command line that ends in "$0".
func again(t *testing.T, name, script string, attr *syscall.SysProcAttr) string {
	t.Helper()
	cmd := exec.Command("/bin/bash", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), "SESSION_TEST="+name, "GOCOVERDIR="+t.TempDir())
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return strings.TrimSpace(string(out))
}

var errWrong = errors.New("not as it must be")
