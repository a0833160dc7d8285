package audit

import (
	"bytes"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Messages is an io.Writer for lines that belong to no connection, those of a
// supervisor: to standard error while somebody can read it there, else to the
// system's log. A write to it neither fails nor waits long, and no SIGPIPE comes
// of it: whoever supervises must not end because nobody listens.
type Messages struct {
	Name   string // the program's, before a line on standard error
	Stderr int    // descriptor of standard error
	Unit   string // the systemd unit that this process was started in, if any

	system    systemLog
	impatient bool      // standard error did not take the last line in time
	deafUntil time.Time // nor did the system's log, which is left alone until then
}

// Notice is the syslog(3) severity of all messages.
const notice = 5

// How long standard error may take for a line, and how soon a log that did not
// take one is tried again.
const (
	stderrPatience = 200 * time.Millisecond
	deafTime       = time.Minute
)

// Write writes one line. It always reports success.
func (m *Messages) Write(line []byte) (int, error) {
	text := oneLine(string(bytes.TrimRight(line, "\n")))
	if m.print(m.Name+": "+text+"\n") || time.Now().Before(m.deafUntil) {
		return len(line), nil
	}
	journal := encode(append(common("", m.Unit), field{"MESSAGE", text}, field{"PRIORITY", strconv.Itoa(notice)}))
	syslog := func() []byte { return syslogLine(time.Now(), "", notice, 0, text) }
	if err := m.system.deliver(journal, syslog); err == unix.EAGAIN {
		m.deafUntil = time.Now().Add(deafTime)
	}
	return len(line), nil
}

// print writes to standard error and reports whether it was taken. A pipe that
// nobody empties, or a terminal that is stopped, would block a plain write for
// ever.
func (m *Messages) print(line string) bool {
	if !Readable(m.Stderr) {
		return false
	}
	patience := stderrPatience
	if m.impatient {
		patience = 0
	}
	fds := []unix.PollFd{{Fd: int32(m.Stderr), Events: unix.POLLOUT}}
	for until := time.Now().Add(patience); ; {
		n, err := unix.Poll(fds, int(max(time.Until(until), 0)/time.Millisecond))
		if err == unix.EINTR {
			continue
		}
		if m.impatient = err != nil || n == 0; m.impatient || fds[0].Revents&unix.POLLOUT == 0 ||
			fds[0].Revents&unix.POLLERR != 0 {
			return false
		}
		// Not os.Stderr, which ends the process on EPIPE. Go's runtime ignores the
		// signal itself, and handlers inherit nothing of that.
		n, err = unix.Write(m.Stderr, []byte(line))
		if err != unix.EINTR {
			return err == nil && n == len(line)
		}
	}
}

// Readable reports whether a person or a log may read what is written to a
// descriptor. A TCP socket is a peer, or under inetd's "wait" the listening
// socket; /dev/null is also what Go opens in place of a closed descriptor.
func Readable(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK: // systemd's StandardError=journal is a local one
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		return err == nil && domain == unix.AF_UNIX
	case unix.S_IFCHR:
		return uint64(st.Rdev) != unix.Mkdev(1, 3)
	}
	return true
}
