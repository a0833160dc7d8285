package inetd

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// States of a connection that has been ended by the peer (linux/tcp.h).
const (
	tcpCloseWait = 8
	tcpLastAck   = 9
	tcpClosing   = 11
)

// Ended reports whether the peer has ended its stream and everything that it sent
// has been read: nothing more can arrive. It takes no lock of the socket's, which a
// process of the user's can hold. False also means that it is not known.
func (c *Conn) Ended() bool {
	if c.fd < 0 {
		return false
	}
	// A command's shutdown(2) looks the same; poll(2) is asked first because it is cheap.
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(fds, 0); n != 1 || err != nil || fds[0].Revents&unix.POLLRDHUP == 0 {
		return false
	}
	var st unix.Stat_t
	socket := c.ends()
	m := diagMessage(socket.local, socket.peer)
	// The command can dissolve a connection, and another may then have its addresses.
	if m == nil || unix.Fstat(c.fd, &st) != nil ||
		uint64(binary.NativeEndian.Uint32(m[diagMsgInode:])) != uint64(st.Ino) {
		return false
	}
	switch m[diagMsgState] {
	case tcpCloseWait, tcpLastAck, tcpClosing:
		return binary.NativeEndian.Uint32(m[diagMsgRqueue:]) <= 1 // the end of the stream counts as one
	}
	return false
}

// sent reports whether everything that was written is on its way: the peer's
// window holds nothing back. It takes no lock.
func (c *Conn) sent() bool {
	n, err := unix.IoctlGetInt(c.fd, unix.SIOCOUTQNSD)
	return err == nil && n == 0
}
