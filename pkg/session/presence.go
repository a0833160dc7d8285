package session

import (
	"time"

	"golang.org/x/sys/unix"
)

// presence finds out whether the peer has vanished, without reading a byte of the
// command's input.
//
// A client that is killed sends the end of both its streams, by its kernel, and a
// client that has sent all its input sends the end of one. So the end of both is a
// client that has gone. GNU's client ends its half of the stderr connection at
// once, long before its input: that end does not count. Then, or with one
// connection only, nothing but a probe can distinguish the two kinds of end.
type presence struct {
	input, stderr time.Time // when the ends were seen; zero before
	early         bool      // the stderr connection's does not count
	probe         bool      // probes are due
	vanished      bool
}

// together is how long after each other the ends of a killed client's streams come.
const together = time.Second

// decide is called when one of the ends has been seen. hasStderr is whether there
// is a second connection.
func (p *presence) decide(hasStderr bool) {
	switch {
	case p.input.IsZero(): // the client may still send
	case !hasStderr, p.early:
		p.probe = true
	case p.stderr.IsZero():
	case p.input.Sub(p.stderr) > together:
		p.early, p.probe = true, true
	default:
		p.vanished = true
	}
}

// look takes what poll(2) returned for the two connections: fds[0] is the primary, fds[1]
// the stderr connection. An error alone is the command's own doing (SO_TIMESTAMPING)
// and would be reported for ever: such a connection is watched no longer.
func (p *presence) look(fds []unix.PollFd, first, hasStderr bool) {
	now := time.Now()
	if e := fds[1].Revents; e != 0 {
		fds[1].Fd = -1
		if e&(unix.POLLRDHUP|unix.POLLHUP) != 0 {
			p.stderr, p.early = now, first
		}
	}
	switch e := fds[0].Revents; {
	case e&unix.POLLHUP != 0:
		fds[0].Fd = -1
		p.vanished = true
		return
	case e&unix.POLLRDHUP != 0:
		fds[0].Events = 0 // the connection's loss is still reported
		p.input = now
	case e != 0:
		fds[0].Fd = -1
	}
	p.decide(hasStderr)
}
