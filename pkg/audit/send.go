package audit

import (
	"cmp"
	"encoding/binary"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A systemLog is where records are sent: datagrams to local sockets. These are
// the two documented protocols themselves (systemd's Native Journal Protocol;
// syslog(3) as glibc speaks it), some lines each, which tests compare with
// go-systemd's journal package and log/syslog. Those bring package net and its
// poller into every process: 0.4 ms of each connection's CPU.
type systemLog struct {
	journal, syslog string // paths of the sockets; empty: this host's, anything else only in tests
}

const (
	journalSocket = "/run/systemd/journal/socket"
	syslogSocket  = "/dev/log"
)

// patience bounds one record. journald takes some microseconds; one that is
// stopped or hangs has a full queue, and a write to it would wait for ever.
const patience = 2 * time.Second

// send writes the record.
func (l systemLog) send(e *Event) error {
	return l.deliver(e.journal(), func() []byte { return e.syslog(time.Now()) })
}

// deliver sends to journald, or to syslog where there is no journald. EAGAIN is a
// log that did not take the record in time; another error, that there is none.
func (l systemLog) deliver(journal []byte, syslog func() []byte) error {
	err := sendTo(cmp.Or(l.journal, journalSocket), journal)
	if err != nil && err != unix.EAGAIN {
		err = sendTo(cmp.Or(l.syslog, syslogSocket), syslog())
	}
	return err
}

// sendTo sends one datagram, waiting for room for at most patience: EAGAIN then.
func sendTo(path string, datagram []byte) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
		return err
	}
	until := time.Now().Add(patience)
	for {
		err := unix.Sendto(fd, datagram, unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: path})
		if err != unix.EINTR || time.Now().After(until) {
			return err
		}
	}
}

// journal is the record in the Native Journal Protocol.
func (e *Event) journal() []byte {
	return encode(append(e.fields(), field{"MESSAGE", e.Message()}, field{"PRIORITY", strconv.Itoa(kinds[e.Kind].severity)}))
}

func encode(fields []field) []byte {
	b := make([]byte, 0, 1024)
	for _, f := range fields {
		b = append(b, f.name...)
		if strings.IndexByte(f.value, '\n') >= 0 {
			b = append(b, '\n')
			b = binary.LittleEndian.AppendUint64(b, uint64(len(f.value)))
		} else {
			b = append(b, '=')
		}
		b = append(append(b, f.value...), '\n')
	}
	return b
}

// syslog is the record as syslog(3) would send it.
func (e *Event) syslog(now time.Time) []byte {
	return syslogLine(now, e.program, kinds[e.Kind].severity, e.pid, e.Message())
}

func syslogLine(now time.Time, program string, severity, pid int, message string) []byte {
	const authpriv = 10 << 3
	b := append(make([]byte, 0, 512), '<')
	b = strconv.AppendInt(b, int64(authpriv|severity), 10)
	b = now.AppendFormat(append(b, '>'), time.Stamp)
	b = append(append(append(b, ' '), cmp.Or(program, identifier)...), '[')
	b = strconv.AppendInt(b, int64(cmp.Or(pid, os.Getpid())), 10)
	return append(append(b, "]: "...), message...)
}

// print writes the record to Stderr, in a length that a pipe takes at once or not at
// all: other processes write there, too.
func (l *Log) print(e *Event) {
	const pipeBuf = 4096
	line := cmp.Or(e.program, identifier) + "[" + strconv.Itoa(cmp.Or(e.pid, os.Getpid())) + "]: " + e.Message()
	if len(line) >= pipeBuf {
		line = cut(line, pipeBuf-4) + "..."
	}
	m := Messages{Stderr: l.Stderr}
	m.print(line + "\n")
}

// Unit is the systemd unit that this process runs in, empty if it was not
// started by systemd. It is asked before PAM may have moved the process.
func Unit() string {
	if os.Getenv("INVOCATION_ID") == "" {
		return ""
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if unit := path.Base(strings.TrimSpace(line)); strings.HasSuffix(unit, ".service") {
			return unit
		}
	}
	return ""
}

// signalName is the name that kill -l gives, as "SIGTERM".
func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return "unknown"
}
