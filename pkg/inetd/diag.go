package inetd

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An endpoint is what the kernel knows of a TCP socket of this host's.
type endpoint struct {
	inode, uid uint32
	listens    bool
}

// lookup finds the socket at local that is connected to remote, and the one that
// would accept a connection to port of the same address. The zero endpoint is none.
//
// It asks sock_diag(7), or reads a list on a kernel without: the first is known to
// be there. Which of the two it is must not depend on the second: reading the list
// takes longer, and the peer would notice.
func lookup(local, remote netip.AddrPort, port int) (connected, listener endpoint) {
	find := diag
	if connected = find(local, remote); connected == (endpoint{}) {
		find = listed
		connected = find(local, remote)
	}
	if connected.listens {
		connected = endpoint{} // the connection has gone, and somebody listens where it was
	}
	return connected, find(netip.AddrPortFrom(local.Addr(), uint16(port)), netip.AddrPortFrom(remote.Addr(), 0))
}

// inet_diag_req_v2 and inet_diag_msg of linux/inet_diag.h, by their offsets. Both
// follow a netlink header; the ids within have two ports, two addresses of 16
// bytes, an interface and a cookie.
const (
	tcpDiag       = 20 // SOCK_DIAG_BY_FAMILY
	tcpListen     = 10 // TCP_LISTEN
	diagRequest   = unix.NLMSG_HDRLEN + 56
	diagReqSport  = unix.NLMSG_HDRLEN + 8
	diagReqDport  = diagReqSport + 2
	diagReqSrc    = diagReqSport + 4
	diagReqDst    = diagReqSrc + 16
	diagReqIf     = diagReqDst + 16
	diagReqCookie = diagReqIf + 4
	diagMsgState  = unix.NLMSG_HDRLEN + 1
	diagMsgRqueue = unix.NLMSG_HDRLEN + 56
	diagMsgUID    = unix.NLMSG_HDRLEN + 64
	diagMsgInode  = unix.NLMSG_HDRLEN + 68
)

// diag asks the kernel for the socket at local that is connected to remote, or else
// the one that would accept such a connection.
func diag(local, remote netip.AddrPort) endpoint {
	m, native := diagMessage(local, remote), binary.NativeEndian
	if m == nil {
		return endpoint{}
	}
	return endpoint{inode: native.Uint32(m[diagMsgInode:]), uid: native.Uint32(m[diagMsgUID:]),
		listens: m[diagMsgState] == tcpListen}
}

// diagMessage is the kernel's answer, header included; nil if there is none.
func diagMessage(local, remote netip.AddrPort) []byte {
	b, native := make([]byte, diagRequest), binary.NativeEndian
	native.PutUint32(b, diagRequest)
	native.PutUint16(b[4:], tcpDiag)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	b[unix.NLMSG_HDRLEN] = unix.AF_INET6
	if local.Addr().Is4() {
		b[unix.NLMSG_HDRLEN] = unix.AF_INET
	}
	b[unix.NLMSG_HDRLEN+1] = unix.IPPROTO_TCP
	native.PutUint32(b[unix.NLMSG_HDRLEN+4:], ^uint32(0)) // any state
	binary.BigEndian.PutUint16(b[diagReqSport:], local.Port())
	binary.BigEndian.PutUint16(b[diagReqDport:], remote.Port())
	copy(b[diagReqSrc:], local.Addr().AsSlice())
	copy(b[diagReqDst:], remote.Addr().AsSlice())
	if zone := local.Addr().Zone(); zone != "" {
		native.PutUint32(b[diagReqIf:], interfaceIndex(zone))
	}
	native.PutUint64(b[diagReqCookie:], ^uint64(0)) // any
	answer := askKernel(unix.NETLINK_SOCK_DIAG, b)
	if len(answer) < diagMsgInode+4 || native.Uint16(answer[4:]) != tcpDiag {
		return nil // ENOENT: no such socket, or no such family of them known
	}
	return answer
}

func interfaceIndex(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(zone)
	if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r) != nil {
		return 0
	}
	return r.Uint32()
}

// listed finds the same in the lists of /proc/net, which it reads to their ends,
// whatever it finds.
func listed(local, remote netip.AddrPort) (found endpoint) {
	best := 0 // 3: connected; 2: listens there; 1: listens everywhere
	for _, list := range []string{"/proc/net/tcp6", "/proc/net/tcp"} {
		text, _ := os.ReadFile(list)
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 10 {
				continue
			}
			l, r := listAddr(fields[1]), listAddr(fields[2])
			fits := 0
			switch {
			case l == local && r == remote:
				fits = 3
			case fields[3] != "0A" || l.Port() != local.Port(): // TCP_LISTEN
			case l.Addr() == local.Addr().WithZone(""):
				fits = 2
			case l.Addr().IsUnspecified() && (l.Addr().Is6() || local.Addr().Is4()):
				fits = 1
			}
			if fits > best {
				inode, _ := strconv.ParseUint(fields[9], 10, 32)
				uid, _ := strconv.ParseUint(fields[7], 10, 32)
				best, found = fits, endpoint{uint32(inode), uint32(uid), fits < 3}
			}
		}
	}
	return found
}

// listAddr reads ADDRESS:PORT as /proc/net has it: words of four bytes as numbers
// of the host's.
func listAddr(text string) netip.AddrPort {
	hex, p, _ := strings.Cut(text, ":")
	port, err := strconv.ParseUint(p, 16, 16)
	if err != nil {
		return netip.AddrPort{}
	}
	var b []byte
	for ; len(hex) >= 8; hex = hex[8:] {
		word, err := strconv.ParseUint(hex[:8], 16, 32)
		if err != nil {
			return netip.AddrPort{}
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(word))
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}
