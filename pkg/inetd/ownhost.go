package inetd

import (
	"cmp"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A relay on this host (stunnel, socat, ssh -L) has one of the host's own addresses.
// "The peer's own address" is then not the peer's, who could find out by the answers
// which ports are open here, without a password. Only a client that runs here may
// be connected to here: one process has the other end of the connection and
// listens on the port. For a relay's peer every port is closed.

// checkOwnHost refuses a port of this host's as one where nobody listens, unless it
// is the peer's. What it does and how long it takes does not depend on
// whether somebody listens. Without root, processes cannot be looked into; then the
// server is somebody's own, in the foreground, and serves nobody else.
func (c *Conn) checkOwnHost(to unix.Sockaddr, port int, until time.Time) error {
	if c.OwnHost || os.Geteuid() != 0 || !ownHost(to, c.Local.Addr()) {
		return nil
	}
	peer, listener := lookup(c.Peer, c.Local, port)
	if peer.inode == 0 {
		return unix.ECONNREFUSED
	}
	// A process that is not dumpable is root's in /proc, whoever's it is.
	for _, owner := range []uint32{peer.uid, 0} {
		occupied := false
		for _, p := range processes(owner) {
			if time.Now().After(until) {
				return unix.ETIMEDOUT
			}
			sockets := socketsOf(p)
			switch {
			case !sockets[peer.inode]:
			case listener.inode != 0 && sockets[listener.inode]:
				return nil
			default:
				occupied = true // by a child of the peer's, perhaps: on to the next
			}
		}
		if occupied {
			return unix.ECONNREFUSED
		}
	}
	return checkUnseen(peer, listener, until)
}

// checkUnseen decides for a peer that no process here has: the client runs in
// another process namespace with this host's network, or this process does, as in a
// container. A relay that strangers reach through it shares no more with others than
// its user: so the listener must be the same user's, and unseen as well.
func checkUnseen(peer, listener endpoint, until time.Time) error {
	seen, err := holders(processes(), listener.inode, until)
	if err != nil {
		return err
	}
	if seen > 0 || listener.inode == 0 || listener.uid != peer.uid {
		return unix.ECONNREFUSED
	}
	return nil
}

// holders counts the processes that have a socket open. It looks into all of them:
// how long it takes must not tell whether there is one.
func holders(list []process, inode uint32, until time.Time) (n int, err error) {
	for _, p := range list {
		if time.Now().After(until) {
			return 0, unix.ETIMEDOUT
		}
		if socketsOf(p)[inode] {
			n++
		}
	}
	return n, nil
}

// ownHost reports whether an address is one of this host's own. Where the kernel may
// not be asked for the route, a packet to it comes from the very same; not one to a
// secondary address, though, which comes from the primary one.
func ownHost(to unix.Sockaddr, local netip.Addr) bool {
	addr := addrPort(to).Addr()
	if addr.IsLoopback() || addr == local || routedHere(to) {
		return true
	}
	family := unix.AF_INET
	if _, ok := to.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true // not known: the careful answer
	}
	defer unix.Close(fd)
	if unix.Connect(fd, to) != nil { // sends nothing
		return false // no way there, so none back
	}
	from, err := unix.Getsockname(fd)
	return err != nil || addrPort(from).Addr() == addr
}

// A process is its directory in /proc, and whose that is.
type process struct {
	dir      string
	uid, gid uint32
}

// processes are the owners', the youngest first, as far as their numbers show: a
// client is younger than most.
func processes(owners ...uint32) (list []process) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		dir := "/proc/" + e.Name()
		var st unix.Stat_t
		if unix.Stat(dir, &st) == nil && (len(owners) == 0 || slices.Contains(owners, st.Uid)) {
			list = append(list, process{dir, st.Uid, st.Gid})
		}
	}
	slices.SortFunc(list, func(a, b process) int {
		return cmp.Or(len(b.dir)-len(a.dir), strings.Compare(b.dir, a.dir))
	})
	return list
}

// socketsOf are the inodes of the sockets that a process has open; none where they
// may not be seen. What takes cap_sys_ptrace of others, its own user may see.
func socketsOf(p process) map[uint32]bool {
	sockets, err := readSockets(p.dir + "/fd")
	if errors.Is(err, fs.ErrPermission) {
		withFsids([]uint32{p.uid}, []uint32{p.gid}, func() { sockets, _ = readSockets(p.dir + "/fd") })
	}
	return sockets
}

func readSockets(dir string) (map[uint32]bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	sockets := map[uint32]bool{}
	var buf [64]byte
	for _, e := range entries {
		n, err := unix.Readlink(dir+"/"+e.Name(), buf[:])
		if err == syscall.EACCES || err == syscall.EPERM {
			return nil, err
		}
		const before, after = "socket:[", "]"
		if link := string(buf[:max(n, 0)]); len(link) > len(before)+len(after) && link[:len(before)] == before {
			if inode, err := strconv.ParseUint(link[len(before):len(link)-len(after)], 10, 32); err == nil {
				sockets[uint32(inode)] = true
			}
		}
	}
	return sockets, nil
}
