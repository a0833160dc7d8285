package inetd

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Ports that only root can have, as far as hosts agree (IPPORT_RESERVED in
// netinet/in.h), and those that rresvport(3) hands out.
const (
	firstReserved = 512
	lastReserved  = 1023
)

// Reserved reports whether a port is one of rresvport(3)'s.
func Reserved(port int) bool { return firstReserved <= port && port <= lastReserved }

// trusting are services that believe whoever connects from a reserved port: exec,
// login, shell, printer, klogin, kshell.
var trusting = []int{512, 513, 514, 515, 543, 544}

// Trusting reports whether a service on a port may take a connection from a reserved
// port for a trusted host's. Below 512 there are others.
func Trusting(port int) bool { return port < firstReserved || slices.Contains(trusting, port) }

// DialBackReserved is DialBack from a reserved port of this host's, 1023 or the next
// below that is free: rcmd(3) accepts no other. The port never listens. The connection
// goes to no service that would trust it, and stays with the peer that it was made
// to, whoever has it: see stay.
func (c *Conn) DialBackReserved(port int, timeout time.Duration) (*Conn, error) {
	if Trusting(port) {
		return nil, fmt.Errorf("dial port %d: %w", port, errBadPort)
	}
	d, err := c.dial(port, ownPorts(), time.Now().Add(timeout))
	if err != nil {
		return nil, err
	}
	if err := d.stay(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// ownPorts are those that a connection may be made from. Where a server of this host's
// is to listen, none is.
func ownPorts() (ports []int) {
	for port := lastReserved; port >= firstReserved; port-- {
		if !Trusting(port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// stay has the socket take packets of its present peer only, from now on and for
// everybody who has it. The command inherits it: dissolved with connect(2) and
// AF_UNSPEC, it keeps its port, which is more than the user could ever bind, and
// which other hosts, and other services here, take for root's. The filter takes the
// answers from any new connection, and callers from a listening socket; no
// unprivileged process, nor root, can take it off (SO_LOCK_FILTER).
func (c *Conn) stay() error {
	if err := attach(c.fd, onlyFrom(c.Peer)); err != nil {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
	}
	return os.NewSyscallError("setsockopt SO_LOCK_FILTER", unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1))
}

// attach has a socket take the packets that a filter passes.
func attach(fd int, program []unix.SockFilter) error {
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter)
}

// onlyFrom is a socket filter (BPF, as in the kernel's networking/filter.rst) that
// passes TCP segments of one address and port. Its packets begin at the TCP header.
func onlyFrom(peer netip.AddrPort) []unix.SockFilter {
	const (
		network = 0xfff00000 // SKF_NET_OFF: the network header
		drop    = 0
		pass    = 0xffffffff
	)
	addr := peer.Addr().Unmap()
	version, source := uint32(0x60), uint32(8) // of ipv6(7)'s header
	if addr.Is4() {
		version, source = 0x40, 12
	}
	type check struct {
		load uint16
		at   uint32
		mask uint32 // 0: none
		want uint32
	}
	checks := []check{
		{unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, network, 0xf0, version},
		{unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, 0, 0, uint32(peer.Port())},
	}
	for part := range slices.Chunk(addr.AsSlice(), 4) {
		word := uint32(part[0])<<24 | uint32(part[1])<<16 | uint32(part[2])<<8 | uint32(part[3])
		checks = append(checks, check{unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, network + source, 0, word})
		source += 4
	}
	var program []unix.SockFilter
	for _, c := range checks {
		program = append(program, unix.SockFilter{Code: c.load, K: c.at})
		if c.mask != 0 {
			program = append(program, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask})
		}
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: c.want},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: drop})
	}
	return append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: pass})
}

// IPOptions reports whether the connection came with IP options that the answers carry
// back, among them a route of the sender's choice (RFC 791: LSRR, SSRR), which makes
// its address worth nothing. A security label is none.
func (c *Conn) IPOptions() bool {
	const label = 134 // CIPSO: the kernel puts it after all others
	// IPv6 has no such options, and its routing headers are not turned round.
	options, err := unix.GetsockoptString(c.fd, unix.IPPROTO_IP, unix.IP_OPTIONS)
	return err == nil && options != "" && options[0] != label
}
