package rsh

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

// A reserved port of this host's is what other hosts, and other services here, take for root's. The
// command has the socket that is bound to one as its descriptor 2.
const takeThePort = `exec python3 -c '
import ctypes, os, socket, struct, sys
s = socket.socket(fileno=os.dup(2)); s.setblocking(True)
out = []
def told(what, f):
    try: f(); out.append(what + ": done")
    except OSError as e: out.append(what + ": " + str(e.errno or e))
told("detach", lambda: s.setsockopt(socket.SOL_SOCKET, 27, 0))
told("unlock", lambda: s.setsockopt(socket.SOL_SOCKET, 44, 0))
libc = ctypes.CDLL(None, use_errno=True)
def dissolve(): libc.connect(s.fileno(), struct.pack("H30x", 0), 32)
dissolve()
out.append("port %d" % s.getsockname()[1])
s.settimeout(1.5)
told("connect", lambda: s.connect(("127.0.0.1", int(sys.argv[1]))))
dissolve()
told("listen", lambda: s.listen(1))
c = socket.socket(); c.settimeout(1.5)
told("call", lambda: c.connect(("127.0.0.1", s.getsockname()[1])))
print("\n".join(out))
' `

func TestACommandGetsNoReservedPortToConnectFrom(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 someone\n")
	s := serve(t, trust, trustStack, lab.Handler{})
	victim := listener(t, 0)
	l := listener(t, 903)
	conn := dial(t, 620, s.Addr)
	fmt.Fprint(conn, "903\x00")
	stderr := accept(t, l)
	own := stderr.RemoteAddr().(*net.TCPAddr).Port
	_, port, _ := net.SplitHostPort(victim.Addr().String())
	fmt.Fprintf(conn, "someone\x00%s\x00%s%s\x00", u.Name, takeThePort, port)
	all, _ := io.ReadAll(conn)
	// 1 is EPERM. The port stays, and is of no use.
	want := fmt.Sprintf("\x00detach: 1\nunlock: 1\nport %d\nconnect: timed out\nlisten: done\ncall: timed out\n", own)
	if string(all) != want {
		t.Errorf("%q; want %q", all, want)
	}
	victim.SetDeadline(time.Now().Add(time.Millisecond))
	if c, err := victim.Accept(); err == nil {
		t.Errorf("a connection from %v", c.RemoteAddr())
	}
}

// The peer's own services would take a connection from a reserved port for one of root's. Not
// beside the others, whose servers have those ports.
func TestNoStderrConnectionGoesToAServiceThatTrustsReservedPorts(t *testing.T) {
	s := serve(t, trust, trustStack, lab.Handler{})
	for _, port := range []int{1, 111, 511, 512, 513, 514, 515, 543, 544} {
		l := listener(t, port)
		want := fmt.Sprintf("\x01stderr port %d is not permitted\n", port)
		r := lab.Request{Port: fmt.Sprint(port), User: "someone", Password: "nosuch", Command: "id"}
		if got := ask(t, 621, s.Addr, r); got != want {
			t.Errorf("port %d: %q", port, got)
		}
		l.SetDeadline(time.Now().Add(time.Millisecond))
		if c, err := l.Accept(); err == nil {
			t.Errorf("port %d: a connection from %v", port, c.RemoteAddr())
		}
	}
	// Nor to any other reserved port for somebody who cannot have one.
	l := listener(t, 904)
	r := lab.Request{Port: "904", User: "someone", Password: "nosuch", Command: "id"}
	if got := ask(t, 0, s.Addr, r); got != "\x01stderr port 904 is not permitted\n" {
		t.Errorf("%q", got)
	}
	l.SetDeadline(time.Now().Add(time.Millisecond))
	if c, err := l.Accept(); err == nil {
		t.Errorf("a connection from %v", c.RemoteAddr())
	}
	s.Log.Wait(t, "stderr port 904 is reserved, and the client's own port")
}

// Any option, such as a recorded route. Source routes, which need a network: route_test.go.
func TestAClientWithIPOptionsIsNotBelieved(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 someone\n")
	s := serve(t, trust, trustStack, lab.Handler{})
	conn := dial(t, 622, s.Addr, func(fd int) error {
		return unix.SetsockoptString(fd, unix.IPPROTO_IP, unix.IP_OPTIONS, "\x07\x07\x04\x00\x00\x00\x00\x01")
	})
	conn.Write(lab.Request{User: "someone", Password: u.Name, Command: "id"}.Bytes())
	if all, _ := io.ReadAll(conn); len(all) != 0 {
		t.Errorf("%q", all)
	}
	s.Log.Wait(t, "from 127.0.0.1 port 622: IP options")
	if got := ask(t, 623, s.Addr, lab.Request{User: "someone", Password: u.Name, Command: "echo in"}); got != "\x00in\n" {
		t.Errorf("without options: %q", got)
	}
}

// Refused logins are charged to the source like rexec's, to the same table.
func TestFailedLoginsOfBothProtocolsAddUp(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "")
	const settings = "refusal_delay = \"500ms\"\n[penalties]\nauthfail = 40\nmin = 15\n"
	s := serve(t, settings, "", lab.Handler{Address: "127.0.0.9"})
	if got := ask(t, 0, s.Addr, lab.Request{User: "x", Password: u.Name + "/x", Command: "id"}); got != permissionDenied {
		t.Errorf("%q", got)
	}
	if got := ask(t, 0, s.Addr, request(u, "id")); got != "\x01Too many failed logins, try again later.\n" {
		t.Errorf("while the source has to wait: %q", got)
	}
	// rcmd(3) waits for its connection first.
	const waits = "Too many failed logins, try again later.\n"
	if r := glibc(t, s.Addr, "root", u.Name, "id", "", "4"); r.err != waits {
		t.Errorf("glibc's client: %+v", r)
	}
	rexec := lab.Serve(t, lab.Handler{Settings: settings})
	if a := lab.Ask(t, rexec.Addr, u.Request("id")); a.Out() != "Too many failed logins, try again later.\n" {
		t.Errorf("rexec: %v", a)
	}
}

func TestAPasswordIsNowhereInTheProcess(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "")
	s := serve(t, "", "", lab.Handler{})
	conn := dial(t, 0, s.Addr)
	conn.Write(request(u, "echo ready; cat").Bytes())
	if _, err := io.ReadFull(conn, make([]byte, len("\x00ready\n"))); err != nil {
		t.Fatal(err)
	}
	pid := s.Process(t, 0).Pid
	if n := inMemory(t, pid, u.Password); n != 0 {
		t.Errorf("the password is %d times in the memory of the server", n)
	}
	if inMemory(t, pid, u.Name) == 0 {
		t.Error("the user's name is not there either: the search finds nothing")
	}
	if title := lab.Read(fmt.Sprintf("/proc/%d/cmdline", pid)); !strings.HasPrefix(title, "in.rshd: "+u.Name+" [127.0.0.1]") {
		t.Errorf("ps shows %q", title)
	}
	conn.Close()
}

// inMemory counts a text in the memory of a process.
func inMemory(t testing.TB, pid int, text string) (n int) {
	t.Helper()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for line := range strings.Lines(lab.Read(fmt.Sprintf("/proc/%d/maps", pid))) {
		var from, to int64
		if _, err := fmt.Sscanf(line, "%x-%x rw", &from, &to); err != nil || strings.Contains(line, "[v") {
			continue
		}
		b := make([]byte, to-from)
		m, _ := mem.ReadAt(b, from)
		n += strings.Count(string(b[:m]), text)
	}
	return n
}
