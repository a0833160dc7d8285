package audit

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A place is where standard error leads in a test.
type place struct {
	fd   int
	read func() string // nil: the system's log gets what is written there
}

// places makes standard errors of all kinds.
func places(t *testing.T) map[string]place {
	t.Helper()
	text := func(r *os.File) func() string {
		return func() string {
			b := make([]byte, 200)
			n, _ := r.Read(b)
			return string(b[:n])
		}
	}
	goodRead, good := pipe(t)
	goneRead, gone := pipe(t)
	goneRead.Close()
	_, full := pipe(t)
	fullFd := int(full.Fd()) // once: it makes the descriptor blocking
	unix.SetNonblock(fullFd, true)
	for {
		if _, err := unix.Write(fullFd, make([]byte, 4096)); err != nil {
			break
		}
	}
	unix.SetNonblock(fullFd, false) // a plain write would wait for ever
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	journalRead, journal := os.NewFile(uintptr(ends[0]), "journald"), os.NewFile(uintptr(ends[1]), "stderr")
	t.Cleanup(func() { journalRead.Close(); journal.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	listening, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listening.Close() })
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	closed, err := unix.FcntlInt(good.Fd(), unix.F_DUPFD_CLOEXEC, 1000)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(closed)
	return map[string]place{
		"a pipe":                  {int(good.Fd()), text(goodRead)},
		"journald's stream":       {int(journal.Fd()), text(journalRead)},
		"a pipe without a reader": {int(gone.Fd()), nil},
		"a pipe that is full":     {fullFd, nil},
		"the listening socket":    {int(listening.Fd()), nil},
		"the null device":         {int(null.Fd()), nil},
		"a closed descriptor":     {closed, nil},
	}
}

// pipe makes a pipe that is closed when the test ends.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestMessagesReachSomebodyWhereverStderrLeads(t *testing.T) {
	for name, p := range places(t) {
		t.Run(name, func(t *testing.T) {
			log := journald(t)
			m := &Messages{system: log.system, Name: "rexecd", Stderr: p.fd, Unit: "x.service"}
			began := time.Now()
			for range 3 {
				if n, err := m.Write([]byte("two\x1bwords\n")); n != 10 || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
				if p.read == nil {
					f := parse(t, log.next(t))
					if f["MESSAGE"] != "two?words" || f["PRIORITY"] != "5" || f["SYSLOG_IDENTIFIER"] != identifier || f["OBJECT_SYSTEMD_UNIT"] != "x.service" {
						t.Errorf("the journal gets %v", f)
					}
					continue
				}
				if got := p.read(); got != "rexecd: two?words\n" {
					t.Errorf("standard error gets %q", got)
				}
				log.none(t)
			}
			if d := time.Since(began); d > 10*stderrPatience {
				t.Errorf("three lines took %v", d)
			}
		})
	}
}

func TestMessagesGoToSyslogWhereThereIsNoJournal(t *testing.T) {
	log := syslogd(t)
	m := &Messages{system: log.system, Name: "rexecd", Stderr: -1}
	m.Write([]byte("words\n"))
	if got := string(log.next(t)); !strings.HasPrefix(got, "<85>") || !strings.HasSuffix(got, "]: words") {
		t.Errorf("syslog gets %q", got)
	}
}

// No record may be lost because the terminal of -debug has been closed.
func TestRecordGoesToTheSystemsLogWhenTheConsoleHasGone(t *testing.T) {
	log := journald(t)
	reader, console := pipe(t)
	reader.Close()
	l := Log{system: log.system, Console: console}
	l.Write(Event{Kind: Accepted, User: "alice"})
	if f := parse(t, log.next(t)); f["REXEC_USER"] != "alice" {
		t.Errorf("the journal gets %v", f)
	}
}
