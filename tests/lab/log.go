package lab

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Record is one journal entry: its fields.
type Record map[string]string

// Log stands in for journald and for syslogd: it receives what a server says through either.
type Log struct {
	mu      sync.Mutex
	records []Record
	lines   []string // syslog datagrams, with their <priority>
	raw     bytes.Buffer
	marking sync.Mutex
	marks   []*net.UnixConn // to each of the sockets
	marked  chan struct{}   // a mark has been read
}

// mark is no entry of anybody's.
const mark = "\x00all before this was logged before"

// catchUp waits until what was logged before the call has been read: a process may end before
// this one has read what it logged.
func (l *Log) catchUp() {
	l.marking.Lock()
	defer l.marking.Unlock()
	for _, c := range l.marks {
		if _, err := io.WriteString(c, mark); err == nil {
			<-l.marked
		}
	}
}

// Records returns the journal entries so far.
func (l *Log) Records() []Record {
	l.catchUp()
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Record(nil), l.records...)
}

// Lines returns the syslog datagrams so far, each with its <priority>.
func (l *Log) Lines() []string {
	l.catchUp()
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// Raw returns every byte logged by either way.
func (l *Log) Raw() string {
	l.catchUp()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.raw.String()
}

// Wait waits for a journal entry whose MESSAGE contains text.
func (l *Log) Wait(t testing.TB, text string) Record {
	t.Helper()
	var found Record
	defer func() {
		if found == nil {
			t.Logf("the log is: %.4000q", l.Raw())
		}
	}()
	Eventually(t, "the journal entry "+text, func() bool {
		for _, r := range l.Records() {
			if strings.Contains(r["MESSAGE"], text) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// WaitLine waits for a syslog datagram that contains text.
func (l *Log) WaitLine(t testing.TB, text string) string {
	t.Helper()
	var found string
	defer func() {
		if found == "" {
			t.Logf("the log is: %.4000q", l.Raw())
		}
	}()
	Eventually(t, "the syslog line "+text, func() bool {
		for _, s := range l.Lines() {
			if strings.Contains(s, text) {
				found = s
				return true
			}
		}
		return false
	})
	return found
}

// listen receives datagrams at path until the process ends.
func (l *Log) listen(path string, take func([]byte)) error {
	addr := &net.UnixAddr{Name: path, Net: "unixgram"}
	c, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		return err
	}
	toIt, err := net.DialUnix("unixgram", nil, addr)
	if err != nil {
		return err
	}
	l.marks = append(l.marks, toIt)
	if l.marked == nil {
		l.marked = make(chan struct{})
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return err
	}
	go func() {
		buf, oob := make([]byte, 1<<20), make([]byte, 1024)
		for {
			n, on, _, _, err := c.ReadMsgUnix(buf, oob)
			if err != nil {
				return
			}
			b := append([]byte(nil), buf[:n]...)
			if string(b) == mark {
				l.marked <- struct{}{}
				continue
			}
			for _, fd := range passed(oob[:on]) { // an entry too big for a datagram comes as a file
				f := os.NewFile(uintptr(fd), "entry")
				f.Seek(0, io.SeekStart)
				all, _ := io.ReadAll(f)
				b = append(b, all...)
				f.Close()
			}
			l.mu.Lock()
			l.raw.Write(b)
			l.raw.WriteByte('\n')
			take(b)
			l.mu.Unlock()
		}
	}()
	return nil
}

func passed(oob []byte) []int {
	var fds []int
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if f, err := syscall.ParseUnixRights(&m); err == nil {
			fds = append(fds, f...)
		}
	}
	return fds
}

// native reads systemd's native protocol: KEY=value lines, or KEY, newline, little-endian length,
// value, newline.
func (l *Log) native(b []byte) {
	r := Record{}
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		if key, value, ok := bytes.Cut(line, []byte("=")); ok {
			r[string(key)] = string(value)
			b = rest
			continue
		}
		if len(rest) < 8 {
			break
		}
		n := binary.LittleEndian.Uint64(rest)
		if n > uint64(len(rest)-8) {
			break
		}
		r[string(line)] = string(rest[8 : 8+n])
		b = bytes.TrimPrefix(rest[8+n:], []byte("\n"))
	}
	l.records = append(l.records, r)
}

func (l *Log) syslog(b []byte) { l.lines = append(l.lines, string(b)) }
