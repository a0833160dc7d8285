package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A receiver listens on a log socket.
type receiver struct {
	*net.UnixConn
	system systemLog
}

// journald makes a system log that has the journal's socket alone.
func journald(t *testing.T) receiver {
	t.Helper()
	l := noLog(t)
	return receiver{listenOn(t, l.journal), l}
}

// syslogd makes a system log that has syslog's socket alone.
func syslogd(t *testing.T) receiver {
	t.Helper()
	l := noLog(t)
	return receiver{listenOn(t, l.syslog), l}
}

func noLog(t *testing.T) systemLog {
	dir := t.TempDir()
	return systemLog{journal: filepath.Join(dir, "journal"), syslog: filepath.Join(dir, "syslog")}
}

func listenOn(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (r receiver) next(t *testing.T) []byte {
	t.Helper()
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 1<<20)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// none checks that nothing has arrived: datagrams on this host are there when
// the sender's call returns.
func (r receiver) none(t *testing.T) {
	t.Helper()
	r.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := r.Read(make([]byte, 1<<20)); err == nil {
		t.Errorf("%d bytes were sent to the system's log", n)
	}
}

// parse reads the Native Journal Protocol.
func parse(t *testing.T, b []byte) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for len(b) > 0 {
		line, rest, ok := bytes.Cut(b, []byte{'\n'})
		if !ok {
			t.Fatalf("record ends inside a line: %q", b)
		}
		name, value, plain := strings.Cut(string(line), "=")
		b = rest
		if !plain {
			if len(b) < 8 {
				t.Fatalf("length of %q is missing", name)
			}
			n := binary.LittleEndian.Uint64(b)
			if uint64(len(b)) < 8+n+1 || b[8+n] != '\n' {
				t.Fatalf("value of %q: %d bytes are said, %d are left", name, n, len(b)-8)
			}
			value, b = string(b[8:8+n]), b[8+n+1:]
		}
		if _, twice := fields[name]; twice {
			t.Errorf("field %q comes twice", name)
		}
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).MatchString(name) {
			t.Errorf("field name %q", name)
		}
		fields[name] = value
	}
	return fields
}

func TestJournalGetsTheFieldsAsTheyAre(t *testing.T) {
	got := journald(t)
	for _, text := range hostile {
		e := Event{Kind: Failed, User: text, Peer: peer6, Reason: fmt.Errorf("%s", text), Command: text}
		(&Log{system: got.system, Unit: "rexec@1.service"}).Write(e)
		e.bound()
		want := fieldMap(&e)
		want["MESSAGE"], want["PRIORITY"], want["OBJECT_SYSTEMD_UNIT"] = e.Message(), "5", "rexec@1.service"
		if fields := parse(t, got.next(t)); !maps.Equal(fields, want) {
			t.Errorf("the journal got %q; want %q", fields, want)
		}
	}
	got.none(t)
}

func TestLongestCommandReachesTheJournalWhole(t *testing.T) {
	got := journald(t)
	command := strings.Repeat("\xff\n", 65535) + "x" // the longest one, and the hardest to write
	(&Log{system: got.system}).Write(Event{Kind: Accepted, User: strings.Repeat("\n", 256), Peer: peer4,
		Command: command})
	if fields := parse(t, got.next(t)); fields["REXEC_COMMAND"] != command {
		t.Errorf("REXEC_COMMAND has %d bytes; want %d", len(fields["REXEC_COMMAND"]), len(command))
	}
}

func TestSyslogGetsTheLineWhereThereIsNoJournal(t *testing.T) {
	got := syslogd(t)
	(&Log{system: got.system}).Write(Event{Kind: Failed, User: "a\nb", Peer: peer4, Reason: errWhy})
	want := fmt.Sprintf(`^<85>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d in\.rexecd\[%d\]: Failed password for "a\\nb" from 192\.0\.2\.7 port 40112: pam_authenticate: Authentication failure$`, os.Getpid())
	if line := got.next(t); !regexp.MustCompile(want).Match(line) {
		t.Errorf("syslog got %q; want %s", line, want)
	}
	got.none(t)
}

func TestPriorityIsAuthprivAndTheKindsSeverity(t *testing.T) {
	for kind := range kinds {
		e := Event{Kind: Kind(kind)}
		line, want := e.syslog(time.Now()), fmt.Sprintf("<%d>", 80+kinds[kind].severity)
		if !strings.HasPrefix(string(line), want) {
			t.Errorf("kind %d: %q; want %s", kind, line, want)
		}
	}
}

func TestHostWithoutALogIsNoReasonToWait(t *testing.T) {
	got := journald(t)
	got.Close()
	l := &Log{system: got.system}
	began := time.Now()
	l.Write(Event{Kind: Accepted, User: "alice", Peer: peer4})
	if took := time.Since(began); took > patience || l.deaf {
		t.Errorf("Write took %v, deaf %v", took, l.deaf)
	}
}

func TestLogThatHangsIsWaitedForOnce(t *testing.T) {
	got := journald(t)
	l := &Log{system: got.system}
	// Nobody reads: the queue is full after net.unix.max_dgram_qlen records.
	var longest time.Duration
	for n := 0; !l.deaf; n++ {
		began := time.Now()
		l.Write(Event{Kind: Accepted, User: "alice", Peer: peer4})
		longest = max(longest, time.Since(began))
		if n > 100000 {
			t.Fatal("the queue does not fill")
		}
	}
	if longest < patience || longest > patience+20*time.Second {
		t.Errorf("the longest Write took %v; want about %v", longest, patience)
	}
	began := time.Now()
	for range 1000 {
		l.Write(Event{Kind: Accepted, User: "alice", Peer: peer4})
	}
	if took := time.Since(began); took > patience {
		t.Errorf("1000 records to a log that hangs took %v", took)
	}
	got.Close()
}

func TestWritingLeavesNoDescriptorOpen(t *testing.T) {
	got := journald(t)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	for range 5 {
		(&Log{system: got.system}).Write(Event{Kind: Accepted, User: "alice", Peer: peer4})
		got.next(t)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestUnitIsNamedOnlyUnderSystemd(t *testing.T) {
	t.Setenv("INVOCATION_ID", "")
	if got := Unit(); got != "" {
		t.Errorf("Unit() = %q without systemd", got)
	}
	t.Setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
	if got := Unit(); got != "" && !strings.HasSuffix(got, ".service") {
		t.Errorf("Unit() = %q; want a service or nothing", got)
	}
}
