package inetd

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errBadPort is a stderr port that nothing may be dialled at.
var errBadPort = errors.New("port out of range")

// DialBack connects to a port of the peer's own address, from the local address
// of this connection (rexecd(8), step 3): a client behind a firewall, or one
// that checks where its stderr connection comes from, expects no other. To a
// proxy's client it comes from whichever address the way there has.
func (c *Conn) DialBack(port int, timeout time.Duration) (*Conn, error) {
	return c.dial(port, []int{0}, time.Now().Add(timeout))
}

// dial connects from the first of this host's own ports that is free; 0: any.
func (c *Conn) dial(port int, own []int, until time.Time) (*Conn, error) {
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("dial port %d: %w", port, errBadPort)
	}
	from, to, err := c.stderrEnds(port)
	if err != nil {
		return nil, err
	}
	if err := c.checkOwnHost(to, port, until); err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	for _, port := range own {
		var d *Conn
		if d, err = c.dialFrom(withPort(from, port), to, until); err == nil {
			return d, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EADDRNOTAVAIL) {
			break
		}
	}
	return nil, err
}

// withPort sets the port of an address.
func withPort(address unix.Sockaddr, port int) unix.Sockaddr {
	switch address := address.(type) {
	case *unix.SockaddrInet4:
		address.Port = port
	case *unix.SockaddrInet6:
		address.Port = port
	}
	return address
}

func (c *Conn) dialFrom(from, to unix.Sockaddr, until time.Time) (*Conn, error) {
	family := unix.AF_INET
	if _, ok := from.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := -1, error(nil)
	AsNobody(func() { fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP) })
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	d := &Conn{fd: fd, Local: netip.AddrPortFrom(c.Local.Addr(), 0),
		Peer: netip.AddrPortFrom(c.Peer.Addr(), addrPort(to).Port())}
	if Reserved(int(addrPort(from).Port())) {
		// Connections to different peers may share it.
		err = os.NewSyscallError("setsockopt SO_REUSEADDR", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	}
	if err == nil {
		err = d.connect(from, to, until)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// connect bounds a blocking connect(2) with SO_SNDTIMEO, as in socket(7), and
// takes the bound off again: the command inherits the socket.
func (c *Conn) connect(from, to unix.Sockaddr, until time.Time) error {
	// No port of its own before connect, so that many connections back can share
	// one; older kernels do not know this for IPv6 and lose nothing but that.
	unix.SetsockoptInt(c.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err := unix.Bind(c.fd, from); err != nil {
		return os.NewSyscallError("bind", err)
	}
	for {
		tv := unix.NsecToTimeval(max(time.Until(until), time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
			return os.NewSyscallError("setsockopt SO_SNDTIMEO", err)
		}
		switch err := unix.Connect(c.fd, to); err {
		case nil, unix.EISCONN:
			// Both ends may be this host, and nobody listening: TCP then connects
			// the socket to itself if it happens to get that port.
			self, err := unix.Getsockname(c.fd)
			if err != nil || addrPort(self) == addrPort(to) {
				return os.NewSyscallError("connect", unix.ECONNREFUSED)
			}
			c.Local = addrPort(self)
			tv = unix.Timeval{}
			return os.NewSyscallError("setsockopt SO_SNDTIMEO", unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv))
		case unix.EINTR:
		case unix.EINPROGRESS, unix.EALREADY: // what the kernel returns when the time is up
			if time.Until(until) <= 0 {
				return os.NewSyscallError("connect", unix.ETIMEDOUT)
			}
		default:
			return os.NewSyscallError("connect", err)
		}
	}
}
