package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// Request is what a client sends, field by field. No product code is used on this side of the
// wire, so that a mistake in it cannot answer itself.
type Request struct{ Port, User, Password, Command string }

// Bytes returns the request as it goes over the wire.
func (r Request) Bytes() []byte {
	return []byte(r.Port + "\x00" + r.User + "\x00" + r.Password + "\x00" + r.Command + "\x00")
}

// Answer is everything that came back.
type Answer struct {
	All    []byte // the primary connection, status byte included
	Stderr []byte // the stderr connection, when there was one
	Err    error  // nil for an orderly end of file
}

// Status is the status byte, or -1 when the server closed without one.
func (a Answer) Status() int {
	if len(a.All) == 0 {
		return -1
	}
	return int(a.All[0])
}

// Out is what followed the status byte.
func (a Answer) Out() string {
	if len(a.All) == 0 {
		return ""
	}
	return string(a.All[1:])
}

func (a Answer) String() string {
	return fmt.Sprintf("answer %.300q, stderr %.300q, end %v", a.All, a.Stderr, a.Err)
}

// Dial connects to a server. Nothing on the connection takes longer than two minutes.
func Dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * Patience))
	return c.(*net.TCPConn)
}

// Ask sends the request and stdin in one segment, half-closes, and reads the answer to its end.
func Ask(t testing.TB, addr string, r Request, stdin ...byte) Answer {
	t.Helper()
	return AskRaw(t, addr, append(r.Bytes(), stdin...))
}

// AskRaw sends any bytes, half-closes, and reads the answer to its end. The server may close
// before it has read all.
func AskRaw(t testing.TB, addr string, request []byte) Answer {
	t.Helper()
	c := Dial(t, addr)
	defer c.Close()
	go func() {
		c.Write(request)
		c.CloseWrite()
	}()
	all, err := io.ReadAll(c)
	return Answer{All: all, Err: err}
}

// Session is a running command with its two connections.
type Session struct {
	Primary, Stderr *net.TCPConn
}

// Open runs the protocol as glibc's rexec(3) does: the port first, then accept, and only then the
// name, the password and the command. It does not read the status byte.
func Open(t testing.TB, addr string, user, password, command string) *Session {
	t.Helper()
	c := Dial(t, addr)
	s := &Session{Primary: c, Stderr: AcceptStderr(t, c)}
	if _, err := fmt.Fprintf(c, "%s\x00%s\x00%s\x00", user, password, command); err != nil {
		t.Fatalf("send request: %v", err)
	}
	return s
}

// AcceptStderr listens on the primary connection's own address, sends the port, and returns the
// server's connection.
func AcceptStderr(t testing.TB, c *net.TCPConn) *net.TCPConn {
	t.Helper()
	local := c.LocalAddr().(*net.TCPAddr)
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: local.IP, Zone: local.Zone})
	if err != nil {
		t.Fatalf("listen for stderr: %v", err)
	}
	defer l.Close()
	if _, err := fmt.Fprintf(c, "%d\x00", l.Addr().(*net.TCPAddr).Port); err != nil {
		t.Fatalf("send port: %v", err)
	}
	l.SetDeadline(time.Now().Add(Patience))
	e, err := l.AcceptTCP()
	if err != nil {
		t.Fatalf("accept stderr connection: %v", err)
	}
	t.Cleanup(func() { e.Close() })
	e.SetDeadline(time.Now().Add(2 * Patience))
	return e
}

// Started reads the status byte and fails the test when it is not 0.
func (s *Session) Started(t testing.TB) *Session {
	t.Helper()
	if b := s.Next(t, 1); b[0] != 0 {
		rest, _ := io.ReadAll(s.Primary)
		t.Fatalf("status byte %d %q", b[0], rest)
	}
	return s
}

// Next reads n bytes of the primary connection.
func (s *Session) Next(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if m, err := io.ReadFull(s.Primary, b); err != nil {
		t.Fatalf("read %d bytes of the primary connection: %q, %v", n, b[:m], err)
	}
	return b
}

// Line reads the primary connection up to and without the next newline, and not one byte more.
func (s *Session) Line(t testing.TB) string {
	t.Helper()
	var line []byte
	for {
		b := s.Next(t, 1)
		if b[0] == '\n' {
			return string(line)
		}
		line = append(line, b[0])
	}
}

// Signal sends bytes up the stderr connection.
func (s *Session) Signal(t testing.TB, signals ...byte) {
	t.Helper()
	if _, err := s.Stderr.Write(signals); err != nil {
		t.Fatalf("send signals: %v", err)
	}
}

// Rest half-closes the primary connection and reads both to their end.
func (s *Session) Rest(t testing.TB) Answer {
	t.Helper()
	s.Primary.CloseWrite()
	stderr := make(chan Answer, 1)
	go func() {
		b, err := io.ReadAll(s.Stderr)
		stderr <- Answer{Stderr: b, Err: err}
	}()
	all, err := io.ReadAll(s.Primary)
	a := <-stderr
	return Answer{All: all, Stderr: a.Stderr, Err: errors.Join(err, a.Err)}
}

// Reset ends the primary connection as a client does whose machine was switched off and came
// back: with a RST.
func (s *Session) Reset(t testing.TB) {
	t.Helper()
	if err := s.Primary.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	s.Primary.Close()
}
