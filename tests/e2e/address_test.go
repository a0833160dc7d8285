package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestEveryKindOfAddressIsServed(t *testing.T) {
	lab.Run(t, "ip", "address", "add", "fd00::2/128", "dev", "lo")
	lab.Run(t, "ip", "address", "add", "fe80::77/64", "dev", "lo")
	u := newUser(t, lab.User{})
	for _, c := range []struct {
		name, listen, dial, peer string
		server                   string // where the stderr connection must come from
	}{
		{"IPv4", "127.0.0.1", "", "127.0.0.1", "127.0.0.1"},
		{"another local address", "127.0.0.2", "", "127.0.0.1", "127.0.0.2"},
		{"a server on every address", "0.0.0.0", "127.0.0.3", "127.0.0.1", "127.0.0.3"},
		{"IPv6", "::1", "", "::1", "::1"},
		{"another local IPv6 address", "fd00::2", "", "fd00::2", "fd00::2"},
		{"IPv4 mapped into IPv6", "::", "127.0.0.2", "127.0.0.1", "127.0.0.2"},
		{"IPv6 on every address", "::", "::1", "::1", "::1"},
		{"IPv6 link-local", "::", "fe80::77%lo", "fe80::77%lo", "fe80::77"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack, file := recorder(t)
			s := serve(t, lab.Handler{Address: c.listen, Room: lab.Room{Stack: stack}})
			addr := s.Addr
			if c.dial != "" {
				_, port, _ := net.SplitHostPort(addr)
				addr = net.JoinHostPort(c.dial, port)
			}
			session := lab.Open(t, addr, u.Name, u.Password, "echo $REXEC_CLIENT; echo err >&2").Started(t)
			if ip := session.Stderr.RemoteAddr().(*net.TCPAddr).IP.String(); ip != c.server {
				t.Errorf("the stderr connection comes from %s; want %s", ip, c.server)
			}
			client := session.Primary.LocalAddr().(*net.TCPAddr)
			_, port, _ := net.SplitHostPort(addr)
			if got, want := session.Line(t), fmt.Sprintf("%s %d %s", c.peer, client.Port, port); got != want {
				t.Errorf("REXEC_CLIENT = %q; want %q", got, want)
			}
			if a := session.Rest(t); string(a.Stderr) != "err\n" || a.Err != nil {
				t.Errorf("%v", a)
			}
			s.Log.Wait(t, fmt.Sprintf("Accepted password for %s from %s port %d", u.Name, c.peer, client.Port))
			if got := read(file); !strings.HasPrefix(got, "auth rexec "+u.Name+" "+c.peer+" rexec") {
				t.Errorf("PAM saw %q", got)
			}
		})
	}
}

func TestTheStderrConnectionComesBeforeAnyName(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	c := lab.Dial(t, s.Addr)
	e := lab.AcceptStderr(t, c) // fails unless the server dials with nothing but the port sent
	c.CloseWrite()
	for _, conn := range []net.Conn{c, e} {
		if b, err := io.ReadAll(conn); len(b) != 0 || err != nil {
			t.Errorf("after a request that ends there: %q, %v", b, err)
		}
	}
}

func TestNothingButTheCommandsStderrIsOnTheStderrConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	a := lab.Open(t, s.Addr, u.Name, u.Password, `printf out; printf err >&2`).Rest(t)
	if string(a.All) != "\x00out" || string(a.Stderr) != "err" || a.Err != nil {
		t.Errorf("%v", a)
	}
}

func TestKeepaliveIsOnForBothConnectionsUnlessTurnedOff(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, c := range []struct {
		name string
		h    lab.Handler
		on   string
	}{
		{"by default", lab.Handler{}, "1 1"},
		{"-n", lab.Handler{Args: []string{"-n"}}, "0 0"},
		{"keepalive = false", lab.Handler{Settings: "keepalive = false"}, "0 0"},
	} {
		s := serve(t, c.h)
		// SOL_SOCKET is 1, SO_KEEPALIVE is 9.
		command := `exec perl -e 'for (*STDIN, *STDERR) { push @v, unpack("i", getsockopt($_, 1, 9)) } print "@v"'`
		if a := lab.Open(t, s.Addr, u.Name, u.Password, command).Started(t).Rest(t); string(a.All) != c.on {
			t.Errorf("%s: %v; want %s", c.name, a, c.on)
		}
	}
}

func TestNoTimerOfTheServersIsLeftOnTheSockets(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	// SOL_SOCKET is 1, SO_RCVTIMEO is 20, SO_SNDTIMEO is 21.
	command := `exec perl -e 'for $o (20, 21) { for (*STDIN, *STDERR) { push @v, unpack("H*", getsockopt($_, 1, $o)) } } print "@v"'`
	zero := strings.Repeat("0", 32)
	if a := lab.Open(t, s.Addr, u.Name, u.Password, command).Started(t).Rest(t); string(a.All) != strings.Join([]string{zero, zero, zero, zero}, " ") {
		t.Errorf("time limits of the sockets: %v", a)
	}
}
