package inetd

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Divert has another process stand between the peer and this one: that process gets
// the connection itself, outer, and the far end of a stream of which this Conn
// becomes the near end. Both descriptors are the caller's to close.
//
// The stream is a TCP connection on the loopback interface, not a pair of Unix
// sockets: what a command may do with its connection, how a release finds out what
// has arrived, and above all a reset are then the same as without. A Unix socket
// whose other end has died is at its end, in order; the far end here resets the
// stream unless that process has said otherwise.
func (c *Conn) Divert() (outer, inner int, err error) {
	from, fromErr := unix.Getsockname(c.fd)
	to, toErr := unix.Getpeername(c.fd)
	if err := errors.Join(fromErr, toErr); err != nil {
		return -1, -1, os.NewSyscallError("getsockname", err)
	}
	near, inner, names, err := loopback()
	if err != nil {
		return -1, -1, err
	}
	c.from, c.to, c.socket = from, to, names
	outer, c.fd = c.fd, near
	return outer, inner, nil
}

// loopback makes a TCP connection of this host with itself, and returns its ends and
// what near's are called. far resets the connection when it is closed.
func loopback() (near, far int, names ends, err error) {
	listener, near, far := -1, -1, -1
	defer func() {
		unix.Close(listener)
		if err != nil {
			unix.Close(near)
			unix.Close(far)
		}
	}()
	AsNobody(func() { // near will be the user's
		if listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			near, err = highSocket()
		}
	})
	if err != nil {
		return -1, -1, ends{}, os.NewSyscallError("socket", err)
	}
	at, err := listenFor(near, listener)
	if err != nil {
		return -1, -1, ends{}, os.NewSyscallError("listen on 127.0.0.1", err)
	}
	if err = unix.Connect(near, at); err != nil {
		return -1, -1, ends{}, os.NewSyscallError("connect to 127.0.0.1", err)
	}
	names = ends{peer: addrPort(at), local: LocalAddr(near)}
	if far, err = acceptFrom(listener, names.local); err != nil {
		return -1, -1, ends{}, os.NewSyscallError("accept on 127.0.0.1", err)
	}
	// The listener's filter has done its work: near has no other peer.
	err = errors.Join(unix.SetsockoptInt(far, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0),
		unix.SetsockoptLinger(far, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptInt(far, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(near, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	return near, far, names, os.NewSyscallError("setsockopt", err)
}

// listenFor has a socket listen for near alone, which then connects. Any user of this
// host can connect to any port of it: what comes from elsewhere is dropped, so that it
// cannot even fill the queue.
func listenFor(near, listener int) (at unix.Sockaddr, err error) {
	for _, fd := range []int{near, listener} {
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return nil, err
		}
	}
	if err := attach(listener, onlyFrom(LocalAddr(near))); err != nil {
		return nil, err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return nil, err
	}
	return unix.Getsockname(listener)
}

// highSocket makes a socket out of the way of 0, 1 and 2.
func highSocket() (int, error) {
	low, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(low)
	return unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, highFd)
}

// acceptFrom accepts the connection from an address, and no other: any user of this
// host can connect to a port of its own.
func acceptFrom(listener int, from netip.AddrPort) (fd int, err error) {
	for {
		var peer unix.Sockaddr
		AsNobody(func() { fd, peer, err = unix.Accept4(listener, unix.SOCK_CLOEXEC) })
		switch {
		case err == unix.EINTR, err == unix.ECONNABORTED:
		case err != nil:
			return -1, err
		case addrPort(peer) == from:
			return fd, nil
		default:
			unix.Close(fd)
		}
	}
}
