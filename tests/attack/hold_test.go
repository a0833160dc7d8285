package attack

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

// mount mounts a file system of the user's own, which a program of testdata serves. release ends
// it.
func mount(t *testing.T, u lab.User, program, dir string) (release func()) {
	t.Helper()
	err := unix.Mknod("/dev/fuse", unix.S_IFCHR|0o600, int(unix.Mkdev(10, 229)))
	if err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	fs := exec.Command(compile(t, program), dir, uid(t, u), strings.TrimSpace(lab.Run(t, "id", "-g", u.Name)))
	fs.Stderr = os.Stderr
	out, err := fs.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.Start(); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { unix.Unmount(dir, unix.MNT_DETACH); fs.Process.Kill(); fs.Wait() })
	t.Cleanup(release)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "mounted\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return release
}

// slowFile is a file of the user's own whose page never comes. release ends all who wait for it.
func slowFile(t *testing.T, u lab.User) (path string, release func()) {
	t.Helper()
	dir := openDir(t)
	return dir + "/file", mount(t, u, "slow-fs.c", dir)
}

// A process that sends from such a page holds the socket's lock, and whoever waits for that
// cannot be killed.
func TestAHeldSocketDelaysNeitherTheRecordNorTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fd string
		args     []string
	}{
		{"stdout", "1", nil},
		{"stderr", "2", nil},
		{"stdout, -m", "1", []string{"-m"}},
		{"stderr, -m", "2", []string{"-m"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, lab.User{})
			dir := openDir(t)
			file, release := slowFile(t, u)
			hold := compile(t, "hold.c")
			s := serve(t, lab.Handler{Args: c.args, Room: lab.Room{Stack: sessionStack(t, dir)}})
			session := lab.Open(t, s.Addr, u.Name, u.Password, hold+" "+file+" "+c.fd+" 2").Started(t)
			defer release()            // before the handler's end is waited for: with -m there is no way around the lock
			session.Signal(t, 0, 0, 0) // read while the lock is held
			s.Log.Wait(t, "Session closed for "+u.Name)
			s.Log.Wait(t, ": exit status 5 after ")
			if got := read(dir + "/close_session"); got != u.Name+"\n" {
				t.Errorf("sessions closed: %q", got)
			}
			if c.args == nil {
				if end := s.Process(t, 0).Wait(t); end.ExitCode() != 0 {
					t.Errorf("handler's end: %v", end)
				}
			}
		})
	}
}

func TestAHeldSocketDoesNotDelayTheAnswerToAStop(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	file, release := slowFile(t, u)
	defer release()
	hold := compile(t, "hold.c")
	s := serve(t, lab.Handler{Room: lab.Room{Stack: sessionStack(t, dir)}})
	session := lab.Open(t, s.Addr, u.Name, u.Password, hold+" "+file+" 2 1000").Started(t)
	if got := session.Line(t); got != "holding" {
		t.Fatalf("%q", got)
	}
	session.Signal(t, byte(syscall.SIGUSR2)) // its reading hangs
	time.Sleep(300 * time.Millisecond)
	p := s.Process(t, 0)
	syscall.Kill(p.Pid, syscall.SIGTERM)
	s.Log.Wait(t, "Session closed for "+u.Name)
	if end := p.Wait(t); end.ExitCode() != 0 {
		t.Errorf("handler's end: %v", end)
	}
	if got := read(dir + "/close_session"); got != u.Name+"\n" {
		t.Errorf("sessions closed: %q", got)
	}
	exec.Command("pkill", "-KILL", "-U", uid(t, u)).Run() // this test's own account
}
