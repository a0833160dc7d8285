package inetd

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// rtmsg of linux/rtnetlink.h, by its offsets, which follow a netlink header.
const (
	routeDstLen = unix.NLMSG_HDRLEN + 1
	routeType   = unix.NLMSG_HDRLEN + 7
	routeAttrs  = unix.NLMSG_HDRLEN + unix.SizeofRtMsg
)

// routedHere asks the kernel whether packets to an address stay on this host
// (rtnetlink(7), a route of type "local"): every address of an interface, secondary
// ones too, and networks that are local as a whole.
func routedHere(to unix.Sockaddr) bool {
	addr := addrPort(to).Addr().WithZone("")
	b, native := make([]byte, routeAttrs), binary.NativeEndian
	native.PutUint16(b[4:], unix.RTM_GETROUTE)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	b[unix.NLMSG_HDRLEN] = unix.AF_INET6
	if addr.Is4() {
		b[unix.NLMSG_HDRLEN] = unix.AF_INET
	}
	b[routeDstLen] = byte(addr.BitLen())
	b = appendAttr(b, unix.RTA_DST, addr.AsSlice())
	if to, ok := to.(*unix.SockaddrInet6); ok && to.ZoneId != 0 {
		b = appendAttr(b, unix.RTA_OIF, native.AppendUint32(nil, to.ZoneId))
	}
	native.PutUint32(b, uint32(len(b)))
	answer := askKernel(unix.NETLINK_ROUTE, b)
	return len(answer) >= routeAttrs && native.Uint16(answer[4:]) == unix.RTM_NEWROUTE &&
		answer[routeType] == unix.RTN_LOCAL
}

// appendAttr appends a netlink attribute; the length of value is a multiple of four.
func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	return append(binary.NativeEndian.AppendUint16(b, kind), value...)
}

// askKernel sends a netlink request and returns the first message of the answer, of
// which there is at least a header; nil where there is none.
func askKernel(protocol int, request []byte) []byte {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.NLMSG_HDRLEN {
		return nil
	}
	return answer[:n]
}
