package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A clock that was ahead for a moment, as before NTP has set it: journalctl --until ends at that
// entry, and what follows it was missing.
func TestAClockThatWasWrongHidesNoRecords(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(d time.Duration) string {
		return "echo '" + strings.Replace(entry(1), `TIMESTAMP":"`, fmt.Sprintf(`TIMESTAMP":"%d","_":"`, now.Add(d).UnixMicro()), 1) + "'\n"
	}
	body := at(-2*time.Hour) + at(10000*time.Hour) + "case $args in *--until*) exit;; esac\n" + at(-90*time.Minute)
	out, stderr, status := run(t, journalctl(t, body, "-since", "3h", "-until", "1h"))
	if status != 0 || !strings.Contains(out, "2 sessions,") {
		t.Errorf("status %d, %s, %s", status, stderr, out)
	}
}

// journalctl of systemd 252 passes over the first entry of the journal if the one at --after-cursor
// is no longer there: on a quiet host, a session in each time that the journal keeps.
func TestMetricsCountTheFirstRecordOfARotatedJournal(t *testing.T) {
	t.Parallel()
	file := filepath.Join(openDir(t), "rexec.prom")
	body := func(n int) string {
		return "case $args in *--after-cursor*) ;; *) echo '" + entry(n) + "';; esac\necho '" + entry(n+1) + "'\n"
	}
	for n := range 2 {
		if _, stderr, status := run(t, journalctl(t, body(10*n+1), "-openmetrics", "-output", file)); status != 0 {
			t.Fatalf("status %d, %s", status, stderr)
		}
	}
	if text := read(file); !strings.Contains(text, `user="alice"} 4`+"\n") {
		t.Errorf("four sessions are\n%s", text)
	}
}
