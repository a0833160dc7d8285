package rsh

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

// dial connects from a port of this host's, in place of any other that has it.
func dial(t testing.TB, from int, addr string, control ...func(fd int) error) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Timeout: lab.Patience, Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			for _, f := range control {
				if err == nil {
					err = f(int(fd))
				}
			}
		})
		return err
	}}
	if from != 0 {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP("127.0.0.1"), Port: from}
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("connect from port %d: %v", from, err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * lab.Patience))
	return c.(*net.TCPConn)
}

// ask sends a request from a port, and returns the answer to its end.
func ask(t testing.TB, from int, addr string, r lab.Request) string {
	t.Helper()
	c := dial(t, from, addr)
	defer c.Close()
	c.Write(r.Bytes())
	c.CloseWrite()
	all, _ := io.ReadAll(c)
	return string(all)
}

func TestAUserComesInByAPasswordFromAnyPort(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "")
	s := serve(t, "", "", lab.Handler{})
	for _, from := range []int{0, 601} {
		if got := ask(t, from, s.Addr, request(u, "id -un; cat")); got != "\x00"+u.Name+"\n" {
			t.Errorf("from port %d: %q", from, got)
		}
	}
	s.Log.Wait(t, "Accepted password for "+u.Name+" from 127.0.0.1 port 601 as someone")
	// The first slash ends the name: a password may have others.
	v := newUser(t, lab.User{Password: "Secret of a/b/"}, "")
	if got := ask(t, 0, s.Addr, request(v, "id -un")); got != "\x00"+v.Name+"\n" {
		t.Errorf("a password with slashes: %q", got)
	}
}

// Every row but the last two is a login that is refused: with the same bytes, and at the same time.
func TestEveryRefusedLoginLooksTheSame(t *testing.T) {
	t.Parallel()
	const hosts = "127.0.0.1 someone\n"
	u, stranger := newUser(t, lab.User{}, hosts), newUser(t, lab.User{}, "")
	open := newUser(t, lab.User{}, "+ +\n")
	locked := newUser(t, lab.User{Hash: "!"}, "")
	group := newUser(t, lab.User{}, hosts)
	lab.Run(t, "chmod", "664", "/home/"+group.Name+"/.rhosts")
	off := serve(t, "", trustStack, lab.Handler{})
	on := serve(t, trust, trustStack, lab.Handler{})
	flag := serve(t, trust, trustStack, lab.Handler{Args: []string{"-l"}})
	noModule := serve(t, trust, "", lab.Handler{})
	by := func(client, user string) lab.Request {
		return lab.Request{User: client, Password: user, Command: "id -un"}
	}
	for _, c := range []struct {
		name    string
		server  *lab.Listening
		from    int
		request lab.Request
		log     string
	}{
		{"a wrong password", on, 0, by("someone", u.Name+"/x"), "Failed password for " + u.Name},
		{"an unknown user", on, 0, by("someone", "nosuch/x"), "Failed password for invalid user nosuch"},
		{"a locked account", on, 0, by("someone", locked.Name+"/x"), "Failed password for " + locked.Name},
		{"an empty password", on, 0, by("someone", u.Name+"/"), "empty passwords are not permitted"},
		{"root's account, with a password", on, 0, by("someone", "root/x"), "root is not permitted"},
		{"the trusted, while trust is off", off, 602, by("someone", u.Name), "host-based logins are off"},
		{"the trusted, with -l", flag, 603, by("someone", u.Name), "host-based logins are off"},
		{"the trusted, without pam_rhosts", noModule, 604, by("someone", u.Name), "Failed rhosts for " + u.Name},
		{"the trusted, from a port that is not reserved", on, 0, by("someone", u.Name), "is not reserved"},
		{"another user of the trusted host's", on, 605, by("other", u.Name), "Failed rhosts for " + u.Name + " from 127.0.0.1 port 605 as other"},
		{"a user who trusts nobody", on, 606, by("someone", stranger.Name), "Failed rhosts for " + stranger.Name},
		{"a .rhosts that others can write", on, 607, by("someone", group.Name), "Failed rhosts for " + group.Name},
		{"an unknown user of a trusted host", on, 608, by("someone", "nosuch"), "Failed rhosts for invalid user nosuch"},
		{"root, whom root's .rhosts trusts", on, 609, by("root", "root"), "Failed rhosts for root from 127.0.0.1 port 609 as root: root is not permitted"},
		{"a client without a name", on, 610, by("", open.Name), "no user can have the client's name"},
		{"no name at all", on, 611, by("someone", ""), "no account can have this name"},
		// A module that asks for no password must not stand for the password.
		{"a wrong password for an account that trusts everybody", on, 612, by("someone", open.Name+"/x"), "Failed password for " + open.Name},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			got := ask(t, c.from, c.server.Addr, c.request)
			if took := time.Since(begin); got != permissionDenied || took < 2*time.Second {
				t.Errorf("%q after %v; want %q after two seconds", got, took, permissionDenied)
			}
			c.server.Log.Wait(t, c.log)
		})
	}
	if got := ask(t, 613, on.Addr, by("someone", u.Name)); got != "\x00"+u.Name+"\n" {
		t.Errorf("the trusted: %q", got)
	}
	on.Log.Wait(t, "Accepted rhosts for "+u.Name+" from 127.0.0.1 port 613 as someone")
	if got := ask(t, 614, on.Addr, by("someone", u.Name+"/"+u.Password)); got != "\x00"+u.Name+"\n" {
		t.Errorf("the trusted, with a password: %q", got)
	}
	on.Log.Wait(t, "Accepted password for "+u.Name+" from 127.0.0.1 port 614 as someone")
}

// Not beside the others: useradd(8) replaces the file that the server is to see another of.
func TestRootIsLetInByAPasswordOnlyAndOnlyIfPermitted(t *testing.T) {
	hash := lab.Hash(t, "Secret of root")
	shadow := strings.Replace(lab.Read("/etc/shadow"), "root:", "root:"+hash+":x", 1)
	first, rest, _ := strings.Cut(shadow, "\n")
	fields := strings.Split(first, ":")
	shadow = strings.Join(append([]string{"root", hash}, fields[3:]...), ":") + "\n" + rest
	files := map[string]string{"/etc/shadow": shadow, "/root/.rhosts": "127.0.0.1 root\n"}
	s := serve(t, "permit_root = true\n"+trust, trustStack, lab.Handler{Room: lab.Room{Files: files}})
	if got := ask(t, 0, s.Addr, lab.Request{User: "root", Password: "root/Secret of root", Command: "id -u"}); got != "\x000\n" {
		t.Errorf("with the password: %q", got)
	}
	if got := ask(t, 620, s.Addr, lab.Request{User: "root", Password: "root", Command: "id -u"}); got != permissionDenied {
		t.Errorf("without: %q", got)
	}
	s.Log.Wait(t, "root is never let in without a password")
}

func TestFieldsThatAreTooLongAreNamed(t *testing.T) {
	t.Parallel()
	s := serve(t, "", "", lab.Handler{})
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ sent, want string }{
		{"\x00" + long(257), "\x01remuser too long\n"},
		{"\x00c\x00" + long(257) + "\x00", "\x01username too long\n"},
		{"\x00c\x00" + long(257) + "/p\x00", "\x01username too long\n"},
		{"\x00c\x00" + long(900), "\x01username too long\n"},
		{"\x00c\x00u/" + long(512) + "\x00", "\x01password too long\n"},
		{"\x00c\x00u/" + long(900), "\x01username too long\n"},
		{"\x00c\x00u/p\x00" + long(131072), "\x01command too long\n"},
		{"\x00c\x00u/p\x00\x00", "\x01Permission denied: no command was sent, and rlogin is not served here.\n"},
		{"65536\x00", "\x01stderr port is not a number from 0 to 65535\n"},
		{"x", "\x01stderr port is not a number from 0 to 65535\n"},
		{"\x00c\x00u", ""},
	} {
		if a := lab.AskRaw(t, s.Addr, []byte(c.sent)); string(a.All) != c.want {
			t.Errorf("%.40q: %v; want %q", c.sent, a, c.want)
		}
	}
	// The longest of each that is none too long is refused by PAM.
	longest := lab.Request{User: long(256), Password: long(256) + "/" + long(511), Command: "id"}
	if got := ask(t, 0, s.Addr, longest); got != permissionDenied {
		t.Errorf("the longest: %q", got)
	}
}

// The fields come byte by byte as well, and what follows the command is its input.
func TestARequestMayComeInPieces(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "")
	s := serve(t, "", "", lab.Handler{})
	c := dial(t, 0, s.Addr)
	for _, b := range append(request(u, "cat").Bytes(), "in\x00put"...) {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseWrite()
	if all, err := io.ReadAll(c); string(all) != "\x00in\x00put" || err != nil {
		t.Errorf("%q, %v", all, err)
	}
}

func TestTheStatusByteComesAfterPAMsLastYes(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 someone\n")
	s := serve(t, trust, strings.Replace(trustStack, "session  required pam_permit.so", "session  required pam_deny.so", 1), lab.Handler{})
	for _, user := range []string{both(u), u.Name} {
		if got := ask(t, 615, s.Addr, lab.Request{User: "someone", Password: user, Command: "echo no"}); got != "\x01Try again.\n" {
			t.Errorf("%q", got)
		}
	}
}

// listener listens on a port; 0: any.
func listener(t testing.TB, port int) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func accept(t testing.TB, l *net.TCPListener) *net.TCPConn {
	t.Helper()
	l.SetDeadline(time.Now().Add(lab.Patience))
	c, err := l.AcceptTCP()
	if err != nil {
		t.Fatalf("accept on %v: %v", l.Addr(), err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestTheStderrPortIsReservedForThoseWhoHaveAReservedPort(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 someone\n")
	s := serve(t, trust, trustStack, lab.Handler{})
	for _, c := range []struct {
		name       string
		from, port int
		user       string
		reserved   bool
	}{
		{"a reserved port, trusted", 616, 901, u.Name, true},
		{"a reserved port, with a password", 617, 902, both(u), true},
		{"any other port, with a password", 0, 0, both(u), false},
		{"any other port, with a password from a reserved one", 618, 0, both(u), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := listener(t, c.port)
			conn := dial(t, c.from, s.Addr)
			fmt.Fprintf(conn, "%d\x00", l.Addr().(*net.TCPAddr).Port)
			stderr := accept(t, l)
			from := stderr.RemoteAddr().(*net.TCPAddr).Port
			if (from < 1024 && from >= 516) != c.reserved {
				t.Errorf("the server connects from port %d; reserved: %v", from, c.reserved)
			}
			fmt.Fprintf(conn, "someone\x00%s\x00echo out; echo err >&2\x00", c.user)
			conn.CloseWrite()
			out, _ := io.ReadAll(conn)
			err, _ := io.ReadAll(stderr)
			if string(out) != "\x00out\n" || string(err) != "err\n" {
				t.Errorf("%q, %q", out, err)
			}
		})
	}
	t.Run("not trusted with an unreserved stderr port", func(t *testing.T) {
		l := listener(t, 0)
		conn := dial(t, 619, s.Addr)
		fmt.Fprintf(conn, "%d\x00", l.Addr().(*net.TCPAddr).Port)
		accept(t, l)
		fmt.Fprintf(conn, "someone\x00%s\x00id\x00", u.Name)
		if out, _ := io.ReadAll(conn); string(out) != permissionDenied {
			t.Errorf("%q", out)
		}
		s.Log.Wait(t, "the stderr port, "+fmt.Sprint(l.Addr().(*net.TCPAddr).Port)+", is not reserved")
	})
}
