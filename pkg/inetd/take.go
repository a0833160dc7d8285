package inetd

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// highFd is where the connection is moved: out of the way of 0, 1 and 2, and
// of what careless modules believe to be theirs.
const highFd = 10

// Take finds the connection this process was started for, moves it to a high
// close-on-exec descriptor and points descriptors 0, 1 and 2 at /dev/null
// (rexecd(8), step 1), so that nothing that this process or a PAM module prints
// can reach the peer.
//
// An error names what was there instead and what to do; then nothing was moved.
func Take() (*Conn, error) {
	from := 0
	switch n := listenFds(); {
	case n > 1:
		return nil, fmt.Errorf("the super-server passed %d sockets, not one connection: use Accept=yes and one ListenStream= in the socket unit", n)
	case n == 1:
		from = listenFdsStart
		defer unix.Close(from)
	}
	conn, err := New(from)
	if err != nil {
		return nil, err
	}
	if err := DetachStdio(); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

const startedBy = "in.rexecd is started by inetd, xinetd or systemd for each connection (see in.rexecd(8)); rexecd -debug accepts connections itself"

// New makes a Conn of a descriptor that is a connected TCP socket, on a high
// close-on-exec descriptor of its own; the caller's stays open.
func New(from int) (*Conn, error) {
	fd, err := unix.FcntlInt(uintptr(from), unix.F_DUPFD_CLOEXEC, highFd)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is not open; %s", from, startedBy)
	}
	c, err := newConn(fd)
	if err != nil {
		unix.Close(fd)
	}
	return c, err
}

// ErrGone is a connection that the peer has reset before it could be looked at,
// as port scanners and load balancers do.
var ErrGone = errors.New("connection ended before the peer's address could be read")

func newConn(fd int) (*Conn, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFSOCK {
		return nil, fmt.Errorf("standard input is a %s, not a connection; %s", kindOf(kind), startedBy)
	}
	if typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || typ != unix.SOCK_STREAM {
		return nil, fmt.Errorf("the socket is not a stream socket: use a stream tcp service in inetd.conf, or ListenStream= in the socket unit")
	}
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening != 0 {
		return nil, fmt.Errorf("the socket is a listening one: use nowait in inetd.conf, wait = no in xinetd, or Accept=yes in the socket unit")
	}
	peer, err := unix.Getpeername(fd)
	if err != nil {
		if gone, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); e == nil && gone != 0 {
			return nil, fmt.Errorf("%w: %w", ErrGone, unix.Errno(gone))
		}
		return nil, fmt.Errorf("the socket is not connected (%w); %s", err, startedBy)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	c := &Conn{fd: fd, Peer: addrPort(peer), Local: addrPort(local)}
	if !c.Peer.IsValid() || !c.Local.IsValid() {
		return nil, fmt.Errorf("the socket is not a TCP connection; %s", startedBy)
	}
	// Some super-servers leave what they accepted in non-blocking mode.
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return c, nil
}

func kindOf(mode uint32) string {
	switch mode {
	case unix.S_IFCHR:
		return "terminal or device"
	case unix.S_IFIFO:
		return "pipe"
	case unix.S_IFDIR:
		return "directory"
	}
	return "file"
}

// addrPort gives the address as IPv4 where an IPv6 socket carries IPv4.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 {
			addr = addr.WithZone(interfaceName(sa.ZoneId))
		}
		return netip.AddrPortFrom(addr, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// interfaceName is the name of a link-local address's interface, as
// getnameinfo(3) writes it, or its number where it has gone.
func interfaceName(index uint32) string {
	if fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
		defer unix.Close(fd)
		if r, err := unix.NewIfreq(""); err == nil {
			r.SetUint32(index)
			if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, r) == nil {
				return r.Name()
			}
		}
	}
	return strconv.Itoa(int(index))
}

// DetachStdio points descriptors 0, 1 and 2 at /dev/null.
func DetachStdio() error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	defer unix.Close(null) // never 0 to 2: Go's runtime opens those that are closed
	for fd := 0; fd <= 2; fd++ {
		if err := unix.Dup3(null, fd, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return nil
}
