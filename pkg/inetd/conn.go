// Package inetd takes the connection that a super-server hands to a process of
// its own: descriptor 0 from inetd, xinetd and their kin, descriptor 3 from
// systemd.
//
// The connection is a plain descriptor, used with poll(2) and recv(2). It is
// never given to Go's poller: O_NONBLOCK belongs to the open file description,
// which the user's shell inherits, and there it would break every program that
// does not expect it.
package inetd

import (
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Conn is one TCP connection in blocking mode.
type Conn struct {
	// Peer and Local are the two ends, IPv4-mapped addresses as IPv4. Behind a proxy
	// they are those of the client's connection.
	Peer, Local netip.AddrPort
	// Proxy is who made the connection for the peer, if anybody.
	Proxy netip.Addr
	// Deadline ends every Peek and Read with os.ErrDeadlineExceeded; the zero
	// time never does.
	Deadline time.Time
	// OwnHost has DialBack connect to this host's own addresses like to any other.
	OwnHost bool

	fd       int           // above 2 and close-on-exec; -1 once closed
	socket   ends          // fd's own, where Peer and Local are not
	from, to unix.Sockaddr // of the connection itself, where fd is not that
}

// Fd is the descriptor, for poll(2) and for the command that inherits it; -1
// once closed.
func (c *Conn) Fd() int { return c.fd }

// Peek copies what has arrived into p and leaves it there to be read. It waits
// for at least one byte; io.EOF is the end of the stream.
func (c *Conn) Peek(p []byte) (int, error) { return c.recv(p, unix.MSG_PEEK) }

// Read reads what has arrived. It waits for at least one byte; io.EOF is the
// end of the stream.
func (c *Conn) Read(p []byte) (int, error) { return c.recv(p, 0) }

// recv tries before it waits: a request that came in one segment costs no poll.
func (c *Conn) recv(p []byte, flags int) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, _, err := unix.Recvfrom(c.fd, p, flags|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			if err := c.wait(); err != nil {
				return 0, err
			}
		case err == unix.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("recv", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// wait blocks until there is something to read, if only the end.
func (c *Conn) wait() error {
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	for {
		timeout := -1
		if !c.Deadline.IsZero() {
			// Rounded up: a poll that ends a hair early would only be repeated.
			timeout = int((time.Until(c.Deadline) + time.Millisecond - 1) / time.Millisecond)
			if timeout <= 0 {
				return os.ErrDeadlineExceeded
			}
		}
		switch n, err := unix.Poll(fds, timeout); {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n > 0:
			return nil
		}
	}
}

// Write sends all of p. A peer that does not take it within a few seconds is
// an error: a line of diagnostics is not worth a process that hangs.
func (c *Conn) Write(p []byte) (int, error) {
	const patience = 5 * time.Second
	for sent, until := 0, time.Now().Add(patience); ; {
		n, err := unix.SendmsgN(c.fd, p[sent:], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		switch {
		case err == nil:
			if sent += n; sent == len(p) {
				return sent, nil
			}
		case err == unix.EAGAIN:
			left := time.Until(until)
			if left <= 0 {
				return sent, os.ErrDeadlineExceeded
			}
			fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(fds, int(left/time.Millisecond)+1); err != nil && err != unix.EINTR {
				return sent, os.NewSyscallError("poll", err)
			}
		case err != unix.EINTR:
			return sent, os.NewSyscallError("send", err)
		}
	}
}

// Linger ends the connection in order: it shuts writing down, then reads and
// drops what the peer still sends until the peer has closed as well, for at
// most d and max bytes. A plain close with bytes unread makes the kernel send
// RST, which can throw away text that the peer has received but not yet read.
func (c *Conn) Linger(d time.Duration, max int) {
	if unix.Shutdown(c.fd, unix.SHUT_WR) == nil {
		c.Deadline = time.Now().Add(d)
		c.drop(max)
	}
	c.Close()
}

// drop reads and forgets up to max bytes.
func (c *Conn) drop(max int) {
	buf := make([]byte, 64<<10)
	for max > 0 {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		max -= n
	}
}

// Close closes this process's descriptor. Closing again, or a Conn that is nil,
// does nothing.
func (c *Conn) Close() {
	if c != nil && c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}

// SetKeepAlive turns TCP's keepalive probes on or off. idle is the longest silence,
// 0 the kernel's own setting. Linux waits for idle before the first probe alone, and
// for the time between probes before each other one, even if the last one was
// answered: so that becomes idle too. Their number makes up for it, as far as it may:
// a connection survives the same outages as ever, 11 minutes by default.
func (c *Conn) SetKeepAlive(on bool, idle time.Duration) error {
	v := 0
	if on {
		v = 1
	}
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, v); err != nil {
		return os.NewSyscallError("setsockopt SO_KEEPALIVE", err)
	}
	if !on || idle == 0 {
		return nil
	}
	seconds := int((idle + time.Second - 1) / time.Second)
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds); err != nil {
		return os.NewSyscallError("setsockopt TCP_KEEPIDLE", err)
	}
	between, err := unix.GetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
	if err != nil || between <= seconds {
		return os.NewSyscallError("getsockopt TCP_KEEPINTVL", err)
	}
	probes, err := unix.GetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
	if err != nil {
		return os.NewSyscallError("getsockopt TCP_KEEPCNT", err)
	}
	const most = 127 // MAX_TCP_KEEPCNT
	probes = min((between*probes+seconds-1)/seconds, most)
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds); err != nil {
		return os.NewSyscallError("setsockopt TCP_KEEPINTVL", err)
	}
	return os.NewSyscallError("setsockopt TCP_KEEPCNT", unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, probes))
}
