package inetd

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEndedIsThePeersEndWithNothingLeftToRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(c *Conn, client *net.TCPConn)
		want bool
	}{
		{"open", func(*Conn, *net.TCPConn) {}, false},
		{"a byte", func(_ *Conn, client *net.TCPConn) { client.Write([]byte("x")) }, false},
		{"end", func(_ *Conn, client *net.TCPConn) { client.CloseWrite() }, true},
		{"end that was read", func(c *Conn, client *net.TCPConn) { client.CloseWrite(); c.Read(make([]byte, 1)) }, true},
		{"a byte and the end", func(_ *Conn, client *net.TCPConn) { client.Write([]byte("x")); client.CloseWrite() }, false},
		{"the byte was read", func(c *Conn, client *net.TCPConn) {
			client.Write([]byte("x"))
			client.CloseWrite()
			c.Read(make([]byte, 1))
		}, true},
		{"both have ended", func(c *Conn, client *net.TCPConn) { // it has gone
			unix.Shutdown(c.fd, unix.SHUT_WR)
			client.CloseWrite()
		}, false},
		{"the command reads no more", func(c *Conn, _ *net.TCPConn) { unix.Shutdown(c.fd, unix.SHUT_RD) }, false},
		{"and one byte comes", func(c *Conn, client *net.TCPConn) {
			unix.Shutdown(c.fd, unix.SHUT_RD)
			client.Write([]byte("x"))
		}, false},
		{"closed", func(c *Conn, client *net.TCPConn) { client.CloseWrite(); c.Close() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, client := pair(t)
			defer client.Close()
			tt.do(c, client)
			for until := time.Now().Add(patience); tt.want && !c.Ended() && time.Now().Before(until); {
				time.Sleep(time.Millisecond)
			}
			if got := c.Ended(); got != tt.want {
				t.Errorf("Ended() = %v; want %v", got, tt.want)
			}
		})
	}
}

func TestEndedKnowsEachKindOfConnection(t *testing.T) {
	for _, tt := range []struct{ network, listen, dial string }{
		{"tcp4", "127.0.0.1", "127.0.0.1"}, {"tcp6", "::1", "::1"}, {"tcp", "::", "127.0.0.1"},
	} {
		t.Run(tt.listen, func(t *testing.T) {
			f, client := accepted(t, tt.network, tt.listen, tt.dial)
			defer client.Close()
			fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, highFd)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			c, err := newConn(fd)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.OwnHost = true
			l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(tt.dial)})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			back, err := c.DialBack(l.Addr().(*net.TCPAddr).Port, patience)
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			errs, err := l.AcceptTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer errs.Close()
			client.CloseWrite()
			errs.CloseWrite()
			waitReadable(t, c)
			waitReadable(t, back)
			if !c.Ended() || !back.Ended() {
				t.Errorf("Ended() = %v, and of the connection back %v", c.Ended(), back.Ended())
			}
		})
	}
}

// The command can dissolve the connection; another at its addresses is not this one.
func TestEndedIsNotMisledByAnotherSocket(t *testing.T) {
	c, client := pair(t)
	other, otherClient := pair(t)
	defer client.Close()
	client.CloseWrite()
	otherClient.CloseWrite()
	waitReadable(t, c)
	waitReadable(t, other)
	c.Local, c.Peer = other.Local, other.Peer
	if c.Ended() {
		t.Error("Ended() is what another connection is")
	}
	c.Local, c.Peer = netip.AddrPort{}, netip.AddrPort{}
	if c.Ended() {
		t.Error("Ended() is true of nothing")
	}
}

// What the client has just sent keeps its kernel from acknowledging at once
// (TCP_DELACK_MIN, 40 ms): it hopes for something to send along.
func TestReleaseDoesNotWaitForADelayedAcknowledgement(t *testing.T) {
	for range 50 {
		c, client := pair(t)
		buf := make([]byte, 10)
		for range 20 { // a conversation
			client.Write([]byte("x"))
			c.Read(buf)
			c.Write([]byte("y"))
			client.Read(buf)
		}
		client.CloseWrite()
		c.Read(buf)
		dup, err := unix.Dup(c.fd)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("last words"))
		r := Release{conns: []*Conn{c}}
		done := r.wait(1) // looks once
		left, err := unix.IoctlGetInt(dup, unix.TIOCOUTQ)
		unix.Close(dup)
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			continue // acknowledged already: this shows nothing
		}
		if !done || c.fd >= 0 {
			t.Error("Release waits for the peer's kernel, though nothing can come any more")
		}
		if b, err := io.ReadAll(client); string(b) != "last words" || err != nil {
			t.Errorf("the peer read %q, %v", b, err)
		}
		return
	}
	t.Error("no acknowledgement was delayed")
}

// The kernel gives up sooner on a connection that nobody holds.
func TestReleaseWaitsForTheWindowOfAPeerThatHasEnded(t *testing.T) {
	c, client := pair(t)
	client.CloseWrite()
	waitReadable(t, c)
	want := fill(c)
	r := Release{conns: []*Conn{c}}
	if r.wait(50*time.Millisecond) || c.fd < 0 {
		t.Fatal("given up with output that the peer's window keeps back")
	}
	released := make(chan bool)
	go func() { r.Finish(); close(released) }()
	if n, err := io.Copy(io.Discard, client); n != int64(want) || err != nil {
		t.Errorf("the peer got %d of %d bytes, %v", n, want, err)
	}
	<-released
}
