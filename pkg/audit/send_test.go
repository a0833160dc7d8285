package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/syslog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// receiver is what listens on a log socket.
type receiver struct{ *net.UnixConn }

// listenOn points one of the log's sockets at a receiver of the test's, and the
// others at nothing.
func listenOn(t *testing.T, socket *string) receiver {
	t.Helper()
	dir := t.TempDir()
	saved := [2]string{journalSocket, syslogSocket}
	t.Cleanup(func() { journalSocket, syslogSocket = saved[0], saved[1] })
	journalSocket, syslogSocket = filepath.Join(dir, "no-journal"), filepath.Join(dir, "no-syslog")
	*socket = filepath.Join(dir, "log")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: *socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return receiver{c}
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
	got := listenOn(t, &journalSocket)
	for _, text := range hostile {
		e := Event{Kind: Failed, User: text, Peer: peer6, Reason: fmt.Errorf("%s", text), Command: text}
		(&Log{Unit: "rexec@1.service"}).Write(e)
		want := e.fields()
		want["MESSAGE"], want["PRIORITY"], want["OBJECT_SYSTEMD_UNIT"] = e.Message(), "5", "rexec@1.service"
		if fields := parse(t, got.next(t)); !maps.Equal(fields, want) {
			t.Errorf("the journal got %q; want %q", fields, want)
		}
	}
	got.none(t)
}

func TestLongestCommandReachesTheJournalWhole(t *testing.T) {
	got := listenOn(t, &journalSocket)
	command := strings.Repeat("\xff\n", 65535) + "x" // the longest one, and the hardest to write
	(&Log{}).Write(Event{Kind: Accepted, User: strings.Repeat("\n", 256), Peer: peer4, Command: command})
	if fields := parse(t, got.next(t)); fields["REXEC_COMMAND"] != command {
		t.Errorf("REXEC_COMMAND has %d bytes; want %d", len(fields["REXEC_COMMAND"]), len(command))
	}
}

func TestSyslogGetsTheLineWhereThereIsNoJournal(t *testing.T) {
	got := listenOn(t, &syslogSocket)
	(&Log{}).Write(Event{Kind: Failed, User: "a\nb", Peer: peer4, Reason: errWhy})
	want := fmt.Sprintf(`^<85>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d in\.rexecd\[%d\]: Failed password for "a\\nb" from 192\.0\.2\.7 port 40112: pam_authenticate: Authentication failure$`, os.Getpid())
	if line := got.next(t); !regexp.MustCompile(want).Match(line) {
		t.Errorf("syslog got %q; want %s", line, want)
	}
	got.none(t)
}

func TestPriorityIsAuthprivAndTheKindsSeverity(t *testing.T) {
	for kind := range kinds {
		e := Event{Kind: Kind(kind)}
		if line, want := e.syslog(time.Now()), fmt.Sprintf("<%d>", 80+kinds[kind].severity); !strings.HasPrefix(string(line), want) {
			t.Errorf("kind %d: %q; want %s", kind, line, want)
		}
	}
}

func TestHostWithoutALogIsNoReasonToWait(t *testing.T) {
	got := listenOn(t, &journalSocket)
	got.Close()
	l := &Log{}
	began := time.Now()
	l.Write(Event{Kind: Accepted, User: "alice", Peer: peer4})
	if took := time.Since(began); took > patience || l.deaf {
		t.Errorf("Write took %v, deaf %v", took, l.deaf)
	}
}

func TestLogThatHangsIsWaitedForOnce(t *testing.T) {
	got := listenOn(t, &journalSocket)
	l := &Log{}
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
	got := listenOn(t, &journalSocket)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	for range 5 {
		(&Log{}).Write(Event{Kind: Accepted, User: "alice", Peer: peer4})
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

// What the C library's syslog(3) and Go's send is what a syslog server knows how
// to read: logger(1) is the former in a command.
func TestSyslogLineIsLikeTheLibraries(t *testing.T) {
	got := listenOn(t, &syslogSocket)
	out, err := exec.Command("logger", "-u", syslogSocket, "-p", "authpriv.notice", "-t", "in.rexecd", "--id="+fmt.Sprint(os.Getpid()), "--", "a line").CombinedOutput()
	if err != nil {
		t.Fatalf("logger: %v\n%s", err, out)
	}
	e := Event{Kind: Failed, User: "alice", Peer: peer4}
	library, err := syslog.Dial("unixgram", syslogSocket, syslog.LOG_AUTHPRIV|syslog.LOG_NOTICE, Identifier)
	if err != nil {
		t.Fatal(err)
	}
	defer library.Close()
	if err := library.Notice(e.Message()); err != nil {
		t.Fatal(err)
	}
	header := regexp.MustCompile(`^<85>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d in\.rexecd\[\d+\]: `)
	logger, golang, ours := got.next(t), got.next(t), e.syslog(time.Now())
	for _, line := range [][]byte{logger, golang, ours} {
		if !header.Match(line) {
			t.Errorf("%q has another header than %s", line, header)
		}
	}
	if theirs := strings.TrimSuffix(header.ReplaceAllString(string(golang), ""), "\n"); theirs != header.ReplaceAllString(string(ours), "") {
		t.Errorf("log/syslog sends %q, we send %q", golang, ours)
	}
}

// go-systemd's journal package writes to the one path it knows: the test binary is
// started again with a /run of its own.
func TestMain(m *testing.M) {
	if os.Getenv("AUDIT_TEST") != "" {
		if err := compareJournals(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestJournalRecordIsLikeGoSystemds(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root, for a /run of its own")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AUDIT_TEST=1", "GOCOVERDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func compareJournals() error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("run", "/run", "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(journalSocket), 0o755); err != nil {
		return err
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: journalSocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	for _, text := range hostile {
		e := Event{Kind: Failed, User: text, Peer: peer6, Reason: fmt.Errorf("%s", text), Command: text, Exit: 1}
		if !send(&e) {
			return fmt.Errorf("send %q: not in time", text)
		}
		if err := journal.Send(e.Message(), journal.PriNotice, e.fields()); err != nil {
			return err
		}
		var records [2][]string
		for i := range records {
			buf := make([]byte, 1<<16)
			n, err := c.Read(buf)
			if err != nil {
				return err
			}
			records[i] = fieldsOf(buf[:n])
		}
		if !slices.Equal(records[0], records[1]) {
			return fmt.Errorf("for %q we send\n%q\ngo-systemd sends\n%q", text, records[0], records[1])
		}
	}
	return nil
}

// fieldsOf cuts a record into its fields, sorted: go-systemd's come in any order.
func fieldsOf(b []byte) []string {
	var fields []string
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if !bytes.Contains(b[:end], []byte{'='}) {
			end += 8 + int(binary.LittleEndian.Uint64(b[end:])) + 1
		}
		fields = append(fields, string(b[:end]))
		b = b[end:]
	}
	slices.Sort(fields)
	return fields
}
