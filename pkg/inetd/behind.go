package inetd

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// ends are those of a socket, as the kernel has them.
type ends struct{ peer, local netip.AddrPort }

// Behind has the connection be that of a proxy's client: Peer is the client, Local
// the address that it called. DialBack then connects to the client, from an address
// of this host's own.
func (c *Conn) Behind(client, called netip.AddrPort) {
	c.socket = c.ends()
	c.Peer, c.Local, c.Proxy = client, called, c.Peer.Addr()
}

// ends are what the kernel looks the connection up by.
func (c *Conn) ends() ends {
	if c.socket == (ends{}) {
		return ends{c.Peer, c.Local}
	}
	return c.socket
}

// stderrEnds are the addresses for a connection to a port of the peer's.
func (c *Conn) stderrEnds(port int) (from, to unix.Sockaddr, err error) {
	if c.Proxy.IsValid() {
		to = sockaddr(netip.AddrPortFrom(c.Peer.Addr(), uint16(port)))
		if c.Peer.Addr().Is4() {
			return &unix.SockaddrInet4{}, to, nil
		}
		return &unix.SockaddrInet6{}, to, nil
	}
	// The kernel's own addresses, so that an IPv6 scope and a mapped address stay as they are.
	from, to = c.from, c.to
	if from == nil {
		if from, err = unix.Getsockname(c.fd); err != nil {
			return nil, nil, os.NewSyscallError("getsockname", err)
		}
		if to, err = unix.Getpeername(c.fd); err != nil {
			return nil, nil, os.NewSyscallError("getpeername", err)
		}
	}
	return from, withPort(to, port), nil
}

// sockaddr is an address without a zone.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}
