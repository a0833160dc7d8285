package session

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// handOver makes the sockets among the streams the user's own, and takes from them
// what only root could have set.
//
// A connection that the command inherits can be dissolved, with connect(2) and
// AF_UNSPEC, and used for another. While its owner was root, it could join root's
// own SO_REUSEPORT groups and so take over root's services, and passed rules that
// look at the owner.
func (s Streams) handOver(uid int) error {
	done := map[int]bool{}
	for _, fd := range []int{s.In, s.Out, s.Err} {
		if done[fd] {
			continue
		}
		done[fd] = true
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			continue // the child's to report
		}
		if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
			continue
		}
		if err := unix.Fchown(fd, uid, -1); err != nil {
			return fmt.Errorf("make the connection the user's: %w", os.NewSyscallError("fchown", err))
		}
		if err := unprivilege(fd); err != nil {
			return fmt.Errorf("take root's options off the connection: %w", err)
		}
	}
	return nil
}

// unprivilege takes back what a super-server may have set and only root can. What
// the connection's own packets need is left: the mark (Mark= of systemd.socket(5)),
// which chooses their route, and IP_TRANSPARENT where the connection is not to an
// address of this host's.
func unprivilege(fd int) error {
	const most = 6 // socket(7): more takes cap_net_admin
	if priority, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY); err == nil &&
		(priority < 0 || priority > most) {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, most); err != nil {
			return os.NewSyscallError("setsockopt SO_PRIORITY", err)
		}
	}
	// The same bit for both families.
	if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT); err != nil || on == 0 ||
		!ownAddress(fd) {
		return nil
	}
	return os.NewSyscallError("setsockopt IP_TRANSPARENT", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 0))
}

// ownAddress reports whether the socket's local address is one of this host's.
func ownAddress(fd int) bool {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	family := unix.AF_INET
	switch local := local.(type) {
	case *unix.SockaddrInet4:
		local.Port = 0
	case *unix.SockaddrInet6:
		family, local.Port = unix.AF_INET6, 0
	default:
		return false
	}
	probe, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(probe)
	return unix.Bind(probe, local) == nil
}
