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
			connected, listens, err := p.holds(peer.inode, listener.inode, until)
			switch {
			case err != nil:
				return err
			case !connected:
			case listens:
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
		_, held, err := p.holds(0, inode, until)
		if err != nil {
			return 0, err
		}
		if held {
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

// holds reports which of two sockets, by their inodes, a process has open; none where
// that may not be seen. What takes cap_sys_ptrace of others, its own user may see.
func (p process) holds(a, b uint32, until time.Time) (hasA, hasB bool, err error) {
	hasA, hasB, err = readSockets(p.dir+"/fd", a, b, until)
	if errors.Is(err, fs.ErrPermission) {
		withFsids([]uint32{p.uid}, []uint32{p.gid}, func() { hasA, hasB, err = readSockets(p.dir+"/fd", a, b, until) })
	}
	if err == unix.ETIMEDOUT {
		return false, false, err
	}
	return hasA, hasB, nil
}

// readSockets looks for two sockets in a directory of descriptors. Any user of this
// host has their processes looked into by connecting, and a process may have a million
// descriptors: none is kept, and time is looked at within a process. All are read, wherever
// the two are: time must not tell.
func readSockets(dir string, a, b uint32, until time.Time) (hasA, hasB bool, err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, false, err
	}
	defer unix.Close(fd)
	entries, names := make([]byte, 8192), []string(nil)
	for {
		if time.Now().After(until) {
			return false, false, unix.ETIMEDOUT
		}
		n, err := unix.ReadDirent(fd, entries)
		if err != nil || n == 0 {
			return hasA, hasB, err
		}
		_, _, names = unix.ParseDirent(entries[:n], -1, names[:0])
		for _, name := range names {
			inode, err := socketInode(fd, name)
			if err == unix.EACCES || err == unix.EPERM {
				return false, false, err
			}
			hasA, hasB = hasA || inode != 0 && inode == a, hasB || inode != 0 && inode == b
		}
	}
}

// socketInode is that of the socket which a descriptor is; 0: it is none.
func socketInode(dir int, name string) (uint32, error) {
	var buf [64]byte
	n, err := unix.Readlinkat(dir, name, buf[:])
	const before, after = "socket:[", "]"
	link := buf[:max(n, 0)]
	if len(link) <= len(before)+len(after) || string(link[:len(before)]) != before {
		return 0, err
	}
	inode, err := strconv.ParseUint(string(link[len(before):len(link)-len(after)]), 10, 32)
	if err != nil {
		return 0, nil
	}
	return uint32(inode), nil
}
