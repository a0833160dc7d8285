package audit

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestARecordGoesToStderrWhereThereIsNoLog(t *testing.T) {
	nowhere := noLog(t)
	prefix := "in.rexecd[" + strconv.Itoa(os.Getpid()) + "]: "
	for name, p := range places(t) {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			l := Log{system: nowhere, Stderr: p.fd}
			l.Write(Event{Kind: Accepted, User: "alice\n"})
			if d := time.Since(began); d > 10*stderrPatience {
				t.Errorf("it took %v", d)
			}
			if p.read == nil {
				return // a peer, /dev/null or nobody
			}
			if got, want := p.read(), prefix+`Accepted password for "alice\n"`+"\n"; got != want {
				t.Errorf("standard error gets %q; want %q", got, want)
			}
		})
	}
	t.Run("in one piece", func(t *testing.T) {
		r, w := pipe(t)
		l := Log{system: nowhere, Stderr: int(w.Fd())}
		l.Write(Event{Kind: InternalError, Reason: errors.New(strings.Repeat("x", 10_000))})
		b := make([]byte, 20_000)
		if n, _ := r.Read(b); n != 4096 || !strings.HasSuffix(string(b[:n]), "xxx...\n") {
			t.Errorf("%d bytes, ending in %q; want 4096, which a pipe does not mix with others'", n, b[max(n-10, 0):n])
		}
	})
}

func TestARecordGoesToTheLogAlone(t *testing.T) {
	log := syslogd(t)
	r, w := pipe(t)
	l := Log{system: log.system, Stderr: int(w.Fd())}
	l.Write(Event{Kind: Accepted, User: "alice"})
	log.next(t)
	w.Close()
	if n, _ := r.Read(make([]byte, 10)); n != 0 {
		t.Error("standard error gets it, too")
	}
}
