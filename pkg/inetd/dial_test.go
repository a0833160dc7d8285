package inetd

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connection is a Conn between two given addresses, and its peer.
func connection(t *testing.T, network, server, client string) (*Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, net.JoinHostPort(server, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := netip.MustParseAddrPort(l.Addr().String())
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(netip.MustParseAddr(client), to.Port())
	}
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(client), 0))}
	peer, err := d.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := s.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, highFd)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, peer.(*net.TCPConn)
}

func TestDialBackGoesFromTheSameAddressToThePeer(t *testing.T) {
	for _, tt := range []struct{ name, network, server, client, from string }{
		{"IPv4", "tcp4", "127.0.0.1", "127.0.0.1", "127.0.0.1"},
		{"another local address than the default", "tcp4", "127.0.0.2", "127.0.0.3", "127.0.0.2"},
		{"IPv6", "tcp6", "::1", "::1", "::1"},
		{"IPv4 on an IPv6 socket", "tcp", "::", "127.0.0.4", "127.0.0.4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := connection(t, tt.network, tt.server, tt.client)
			l, err := net.Listen("tcp", net.JoinHostPort(tt.client, "0"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := l.Addr().(*net.TCPAddr).Port
			d, err := c.DialBack(port, patience)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if from := got.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(); from.String() != tt.from {
				t.Errorf("connected from %v; want %s", from, tt.from)
			}
			if want := netip.AddrPortFrom(c.Peer.Addr(), uint16(port)); d.Peer != want ||
				d.Local.Addr() != c.Local.Addr() {
				t.Errorf("Peer, Local = %v, %v; want %v, %v", d.Peer, d.Local, want, c.Local.Addr())
			}
			checkInheritable(t, d.Fd())
			d.Write([]byte("x"))
			d.Close()
			if b, err := io.ReadAll(got); string(b) != "x" || err != nil {
				t.Errorf("the peer read %q, %v", b, err)
			}
		})
	}
}

// checkInheritable looks at what the command is going to inherit.
func checkInheritable(t *testing.T, fd int) {
	t.Helper()
	if tv, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO); err != nil ||
		*tv != (unix.Timeval{}) {
		t.Errorf("SO_SNDTIMEO = %v, %v; want none", tv, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the socket is in non-blocking mode (%v)", err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the descriptor is not close-on-exec (%v)", err)
	}
}

func TestDialBackToAPortOutOfRangeIsNotTried(t *testing.T) {
	c, _ := pair(t)
	for _, port := range []int{-1, 0, 65536, 1 << 20} {
		if _, err := c.DialBack(port, time.Second); !errors.Is(err, errBadPort) {
			t.Errorf("DialBack(%d) = %v; want errBadPort", port, err)
		}
	}
}

func TestDialBackToAClosedPortIsRefusedAndLeavesNoDescriptor(t *testing.T) {
	c, _ := pair(t)
	// Bound and not listening: nobody else can have it meanwhile.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	before := openDescriptors(t)
	if _, err := c.DialBack(sa.(*unix.SockaddrInet4).Port, patience); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("DialBack = %v; want connection refused", err)
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestDialBackToAPeerThatDoesNotAnswerEndsInTime(t *testing.T) {
	c, _ := pair(t)
	port := deafPort(t)
	began := time.Now()
	_, err := c.DialBack(port, 200*time.Millisecond)
	if took := time.Since(began); !errors.Is(err, unix.ETIMEDOUT) || took < 200*time.Millisecond || took > patience {
		t.Errorf("DialBack = %v after %v; want a timeout after 200ms", err, took)
	}
	if _, err := c.DialBack(port, -time.Second); !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("DialBack with no time left = %v; want a timeout", err)
	}
}

// deafPort listens on loopback with a full backlog: the kernel drops what else
// wants to connect, and says nothing.
func deafPort(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(s) })
		if err := unix.Connect(s, sa); err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
		// Loopback's handshake is done within the call unless the listener dropped it.
		if _, err := unix.Getpeername(s); err == unix.ENOTCONN {
			return sa.(*unix.SockaddrInet4).Port
		}
	}
	t.Fatal("the backlog does not fill")
	return 0
}
