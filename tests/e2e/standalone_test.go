package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

func TestWhatIsNoConnectionGetsOneLineAndStatus2(t *testing.T) {
	t.Parallel()
	for name, stdin := range notConnections(t) {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(lab.Server(t))
			switch {
			case stdin == nil:
				cmd = exec.Command("sh", "-c", `exec "$0" <&-`, lab.Server(t))
			case strings.HasSuffix(name, "LISTEN_FDS"):
				cmd = exec.Command("sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0"`, lab.Server(t))
				cmd.ExtraFiles = []*os.File{stdin}
			default:
				cmd.Stdin = stdin
			}
			stdout, stderr, status := run(t, cmd)
			if status != 2 || stdout != "" {
				t.Errorf("status %d, standard output %q; want 2 and nothing", status, stdout)
			}
			wantMatch(t, "standard error", stderr, `in\.rexecd: [ -~]{20,}\n`)
		})
	}
}

func TestAConnectionThatIsResetAtOnceIsNoAlarm(t *testing.T) {
	t.Parallel()
	for _, on := range []lab.Descriptors{lab.In, lab.ListenFDs} {
		s := serve(t, lab.Handler{On: on})
		c := lab.Dial(t, s.Addr) // as port scanners and health checks do
		if err := c.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if p := s.Process(t, 0); p.Wait(t).ExitCode() != 0 || p.Output() != "" {
			t.Errorf("handler's end %v, output %q", p.State, p.Output())
		}
		s.Log.Wait(t, "Protocol error")
	}
}

// notConnections are descriptors that no super-server hands over for a connection; nil is a
// closed one.
func notConnections(t testing.TB) map[string]*os.File {
	t.Helper()
	file := func(f *os.File, err error) *os.File {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	sock := func(domain, kind int, listen bool) *os.File {
		fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
		if err == nil && listen {
			err = unix.Listen(fd, 1)
		}
		return file(os.NewFile(uintptr(fd), "socket"), err)
	}
	pipe, end, err := os.Pipe()
	file(end, err)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	file(os.NewFile(uintptr(pair[1]), "pair"), err)
	return map[string]*os.File{
		"a pipe":                 file(pipe, nil),
		"a terminal":             terminal(t),
		"a file":                 file(os.Open("/etc/passwd")),
		"a folder":               file(os.Open("/etc")),
		"/dev/null":              file(os.Open("/dev/null")),
		"a listening socket":     sock(unix.AF_INET, unix.SOCK_STREAM, true),
		"a listening IPv6 one":   sock(unix.AF_INET6, unix.SOCK_STREAM, true),
		"a datagram socket":      sock(unix.AF_INET, unix.SOCK_DGRAM, false),
		"a Unix-domain socket":   file(os.NewFile(uintptr(pair[0]), "pair"), nil),
		"nothing (closed)":       nil,
		"a listening LISTEN_FDS": sock(unix.AF_INET, unix.SOCK_STREAM, true),
	}
}

// terminal opens a pseudo-terminal and returns the end that a shell would have.
func terminal(t testing.TB) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(filepath.Join("/dev/pts", itoa(n)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty
}

func TestVersionAndUsage(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := run(t, exec.Command(lab.Server(t), "-version"))
	if status != 0 || stderr != "" {
		t.Errorf("-version: status %d, standard error %q", status, stderr)
	}
	wantMatch(t, "-version", stdout, `in\.rexecd [ -~]+\n`)
	_, stderr, status = run(t, exec.Command(lab.Server(t), "-nonsense"))
	if status != 2 || !strings.Contains(stderr, "-nonsense") || !strings.Contains(stderr, "usage:") {
		t.Errorf("-nonsense: status %d, standard error %q", status, stderr)
	}
}

// output collects what a running program prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) { o.mu.Lock(); defer o.mu.Unlock(); return o.b.Write(b) }
func (o *output) String() string              { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }

// debug starts the command, which is rexecd -debug, and waits until it listens.
func debug(t testing.TB, address string, argv ...string) (*output, *exec.Cmd, *lab.Log) {
	t.Helper()
	o := &output{}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = o
	log := lab.Room{}.Command(t, cmd)
	lab.Eventually(t, "rexecd -debug to listen on "+address+": "+o.String(), func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil && strings.Contains(o.String(), "listening on")
	})
	return o, cmd, log
}

func TestDebugServesInTheForegroundAndLogsThere(t *testing.T) {
	u := newUser(t, lab.User{})
	for _, c := range []struct {
		name, address string
		args          []string
	}{
		{"by default", "127.0.0.1:512", nil},
		{"-listen", "127.0.0.1:5133", []string{"-listen", "127.0.0.1:5133"}},
		{"-listen on every address", "[::1]:5134", []string{"-listen", ":5134"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, cmd, log := debug(t, c.address, append([]string{lab.Rexecd(t), "-debug"}, c.args...)...)
			wantMatch(t, "first line", strings.Split(o.String(), "\n")[0], `rexecd: .*listening on [ -~]*:`+c.address[strings.LastIndex(c.address, ":")+1:]+`\b.*`)
			first := lab.Open(t, c.address, u.Name, u.Password, hold).Started(t)
			second := lab.Open(t, c.address, u.Name, u.Password, hold).Started(t) // while the first one runs
			if a, b := field(t, read("/proc/"+first.Line(t)+"/status"), "PPid"), field(t, read("/proc/"+second.Line(t)+"/status"), "PPid"); a == b {
				t.Errorf("process %s serves two connections", a)
			}
			wantAll(t, c.address, lab.Request{User: u.Name, Password: "Secret of nobody"}, loginIncorrect)
			first.Rest(t)
			second.Rest(t)
			for _, line := range []string{"Accepted password for " + u.Name + " from ", "Failed password for " + u.Name + " from ", "Session closed for " + u.Name + " from "} {
				lab.Eventually(t, line, func() bool { return strings.Contains(o.String(), line) })
			}
			if strings.Contains(o.String(), "Secret of") || len(log.Records()) != 0 {
				t.Errorf("on the terminal: %q, in the journal: %v", o.String(), log.Records())
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if alive(itoa(cmd.Process.Pid)) {
				t.Error("Ctrl-C did not end it")
			}
		})
	}
}

func TestDebugWithoutRootServesTheInvokingUserOnly(t *testing.T) {
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	o, _, _ := debug(t, "127.0.0.1:5120", "setpriv", "--reuid", u.Name, "--regid", u.Name, "--init-groups", lab.Rexecd(t), "-debug")
	wantOut(t, "127.0.0.1:5120", request(u, "id -un; pwd"), u.Name+"\n/home/"+u.Name+"\n")
	session := lab.Open(t, "127.0.0.1:5120", u.Name, u.Password, trapping).Started(t)
	session.Line(t)
	session.Signal(t, byte(syscall.SIGUSR1))
	if got := session.Line(t); got != "USR1" {
		t.Errorf("after SIGUSR1: %q", got)
	}
	session.Signal(t, byte(syscall.SIGKILL))
	session.Rest(t)
	for name, who := range map[string]lab.User{
		"wrong password": {Name: u.Name, Password: "x"}, "another user": other, "nobody": {Name: "nosuch", Password: "x"}, "root": {Name: "root", Password: "x"},
	} {
		t.Run(name, func(t *testing.T) { wantAll(t, "127.0.0.1:5120", request(who, "id -un"), loginIncorrect) })
	}
	for _, text := range []string{"cap_setuid", "cap_setgid", "Accepted password for " + u.Name} {
		if !strings.Contains(o.String(), text) {
			t.Errorf("%q is not in %q", text, o.String())
		}
	}
}

func TestDebugSaysWhyItCannotListen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, cmd := range []*exec.Cmd{
		exec.Command(lab.Rexecd(t), "-debug", "-listen", l.Addr().String()),
		exec.Command("setpriv", "--reuid", "65534", "--clear-groups", lab.Rexecd(t), "-debug", "-listen", "127.0.0.1:513"),
		exec.Command(lab.Rexecd(t), "-debug", "-listen", "nonsense"),
	} {
		_, stderr, status := run(t, cmd)
		if status != 1 {
			t.Errorf("%v: status %d", cmd.Args, status)
		}
		wantMatch(t, "standard error", stderr, `rexecd: [ -~]+\n`)
	}
}
