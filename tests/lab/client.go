package lab

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// Want runs the request and compares every byte of the answer.
func Want(t testing.TB, addr string, r Request, want string) {
	t.Helper()
	if a := Ask(t, addr, r); string(a.All) != want || a.Err != nil {
		t.Errorf("%v; want %q", a, want)
	}
}

// Output runs the request and returns the command's output.
func Output(t testing.TB, addr string, r Request) string {
	t.Helper()
	a := Ask(t, addr, r)
	if a.Status() != 0 || a.Err != nil {
		t.Fatalf("%v; want a command's output", a)
	}
	return a.Out()
}

// DialFrom connects from an address of the caller's choice, which need not be one of this host's
// interfaces.
func DialFrom(t testing.TB, source, addr string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)},
		Timeout:   Patience,
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, 78, 1) // IPV6_FREEBIND
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, 15, 1)   // IP_FREEBIND
			})
		},
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("connect from %s: %v", source, err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(3 * Patience))
	return c.(*net.TCPConn)
}

// AskFrom sends a request from a source, half-closes, and returns the answer up to its end,
// orderly or not.
func AskFrom(t testing.TB, source, addr string, r Request) string {
	t.Helper()
	c := DialFrom(t, source, addr)
	defer c.Close()
	c.Write(r.Bytes())
	c.CloseWrite()
	all, _ := io.ReadAll(c)
	return string(all)
}
