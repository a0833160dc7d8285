// Package attack attacks the built in.rexecd: before login, after login and through broken modules. SECURITY.md names
// each of these tests beside what it shows.
package attack

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

const (
	loginIncorrect = "\x01Login incorrect.\n"
	tryAgain       = "\x01Try again.\n"
	tooManyFailed  = "\x01Too many failed logins, try again later.\n"
)

var names atomic.Int64

// newUser makes an account that no other test has.
func newUser(t testing.TB, u lab.User) lab.User {
	t.Helper()
	u.Name = "victim" + strconv.FormatInt(names.Add(1), 10)
	if u.Password == "" {
		u.Password = "Secret of " + u.Name + "!"
	}
	lab.AddUser(t, u)
	return u
}

func request(u lab.User, command string) lab.Request {
	return lab.Request{User: u.Name, Password: u.Password, Command: command}
}

// serve starts the server. When the test ends, its log must hold no password.
func serve(t testing.TB, h lab.Handler) *lab.Listening {
	t.Helper()
	h.Path = lab.Server(t)
	s := h.Start(t)
	t.Cleanup(func() {
		if strings.Contains(s.Log.Raw(), "Secret of") {
			t.Errorf("a password is in the log: %q", s.Log.Raw())
		}
	})
	return s
}

func want(t testing.TB, addr string, r lab.Request, want string) {
	t.Helper()
	if a := lab.Ask(t, addr, r); string(a.All) != want || a.Err != nil {
		t.Errorf("%v; want %q", a, want)
	}
}

// out runs the command and returns its output.
func out(t testing.TB, addr string, r lab.Request) string {
	t.Helper()
	a := lab.Ask(t, addr, r)
	if a.Status() != 0 || a.Err != nil {
		t.Fatalf("%v; want a command's output", a)
	}
	return a.Out()
}

// served fails the test unless the server serves: after each attack it must.
func served(t testing.TB, addr string, u lab.User) {
	t.Helper()
	want(t, addr, request(u, "echo served"), "\x00served\n")
}

// folder makes a folder that every user may write to.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "attack")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o1777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// allGone waits until every handler so far has ended, and returns how many there were.
func allGone(t testing.TB, s *lab.Listening) int {
	t.Helper()
	all := s.Processes()
	for _, p := range all {
		p.Wait(t)
	}
	return len(all)
}

// status returns a field of /proc/PID/status.
func status(pid int, field string) string {
	for line := range strings.Lines(read("/proc/" + strconv.Itoa(pid) + "/status")) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// children returns the processes whose parent is pid.
func children(pid int) []int {
	var list []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, _ := strconv.Atoi(filepath.Base(dir))
		if status(child, "PPid") == strconv.Itoa(pid) {
			list = append(list, child)
		}
	}
	return list
}

// from connects from an address of the caller's choice. The whole of 192.0.2.0/24, 198.51.100.0/24 and 2001:db8::/32 is
// this host's.
func from(t testing.TB, source, to string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)},
		Timeout:   lab.Patience,
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, 78, 1) // IPV6_FREEBIND
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, 15, 1)   // IP_FREEBIND
			})
		},
	}
	c, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatalf("connect from %s: %v", source, err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(3 * lab.Patience))
	return c.(*net.TCPConn)
}

// ask sends a request from a source and returns the whole answer.
func ask(t testing.TB, source, to string, r lab.Request) string {
	t.Helper()
	c := from(t, source, to)
	defer c.Close()
	c.Write(r.Bytes())
	c.CloseWrite()
	all, _ := io.ReadAll(c)
	return string(all)
}

var routes sync.Once

// manyAddresses makes the documentation networks this host's own.
func manyAddresses(t testing.TB) {
	t.Helper()
	routes.Do(func() {
		for _, net := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"} {
			lab.Run(t, "ip", "route", "add", "local", net, "dev", "lo")
		}
		lab.Run(t, "ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")
		lab.Run(t, "ip", "-6", "addr", "add", "2001:db8::1/128", "dev", "lo", "nodad")
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// rss returns a process's resident memory in kB, 0 for one that has ended.
func rss(pid int) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(status(pid, "VmRSS"), " kB"))
	return n
}
