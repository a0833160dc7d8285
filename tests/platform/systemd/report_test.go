package systemd

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// totals are those of rexecd -report -json, with what is beside them.
func totals(t *testing.T) map[string]float64 {
	t.Helper()
	lab.Run(t, "journalctl", "--sync")
	var r struct {
		Totals   map[string]any
		Forged   float64
		Verified bool
		Pairs    []struct{ Source, User string }
	}
	if err := json.Unmarshal([]byte(lab.Run(t, "rexecd", "-report", "-json")), &r); err != nil || !r.Verified {
		t.Fatalf("%v, %+v", err, r)
	}
	all := map[string]float64{"forged": r.Forged}
	for name, v := range r.Totals {
		if n, is := v.(float64); is {
			all[name] = n
		}
	}
	for _, p := range r.Pairs {
		if strings.HasPrefix(p.Source, "203.0.113.") || p.User == "forger" {
			t.Errorf("a forged record counts: %+v", p)
		}
	}
	return all
}

// Everything from the socket to the table is real here: the server, journald, journalctl, and a
// user who writes what looks like the server's records.
func TestTheReportAgreesWithWhatHappened(t *testing.T) {
	enable(t)
	before := totals(t)
	const good, bad = 3, 4
	for range good {
		lab.Ask(t, addr, lab.Request{User: "alice", Password: "correct-horse", Command: "true"})
	}
	for range bad {
		lab.Ask(t, "[::1]:512", lab.Request{User: "al\x1bice\n<b>", Password: "x", Command: "id"})
	}
	lab.AskRaw(t, addr, []byte("GET / HTTP/1.0\r\n\r\n"))
	forged := "Accepted password for forger from 203.0.113.5 port 4"
	lab.Run(t, "runuser", "-u", "nobody", "--", "logger", "-t", "in.rexecd", forged)
	native := exec.Command("runuser", "-u", "nobody", "--", "logger", "--journald")
	native.Stdin = strings.NewReader("SYSLOG_IDENTIFIER=in.rexecd\nMESSAGE_ID=030124d2092d448d9a4626599566fc0c\n" +
		"REXEC_OUTCOME=accepted\nREXEC_USER=forger\nREXEC_PEER=203.0.113.5\n_UID=0\n_EXE=/usr/sbin/in.rexecd\nMESSAGE=" + forged + "\n")
	if out, err := native.CombinedOutput(); err != nil {
		t.Fatalf("logger --journald: %v: %s", err, out)
	}
	awaitEntry(t, forged, "_TRANSPORT=journal")
	want := map[string]float64{"sessions": good, "ended": good, "failed": bad, "protocol_errors": 1, "refused": 0, "forged": 2}
	var after map[string]float64
	lab.Eventually(t, "the last session's end", func() bool {
		after = totals(t)
		return after["ended"]-before["ended"] == good && after["protocol_errors"] > before["protocol_errors"]
	})
	for name, n := range want {
		if got := after[name] - before[name]; got != n {
			t.Errorf("%s: %v more; want %v", name, got, n)
		}
	}
	if after["longest_seconds"] <= 0 || after["peak_bytes"] <= 0 {
		t.Errorf("totals %v", after)
	}
	out := lab.Run(t, "rexecd", "-report")
	if !strings.Contains(out, `"al\x1bice\n<b>"`) || !strings.Contains(out, "under the server's name that the journal says others wrote") {
		t.Errorf("the report is\n%s", out)
	}
}

func TestTheTimerWritesMetrics(t *testing.T) {
	enable(t)
	const dir = "/var/lib/prometheus/node-exporter"
	if out, _ := says("systemctl", "is-enabled", "rexec-report.timer"); out != "disabled" {
		t.Errorf("the timer is shipped %s", out)
	}
	lab.Run(t, "systemctl", "start", "rexec-report.service") // without the directory: nothing, and no failure
	if _, err := os.Stat(dir); err == nil {
		t.Fatal(dir + " is there already")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll("/var/lib/prometheus") })
	lab.Ask(t, addr, lab.Request{User: "alice", Password: "correct-horse", Command: "true"})
	for range 2 {
		sessions := totals(t)["sessions"]
		lab.Run(t, "systemctl", "start", "rexec-report.service")
		text, err := os.ReadFile(filepath.Join(dir, "rexec.prom"))
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "rexec_sessions_total") {
				var n float64
				if err := json.Unmarshal([]byte(value), &n); err != nil {
					t.Fatal(err)
				}
				sum += n
			}
		}
		if sum != sessions {
			t.Errorf("the metrics count %v sessions; the journal has %v", sum, sessions)
		}
		lab.Ask(t, addr, lab.Request{User: "alice", Password: "correct-horse", Command: "true"})
	}
	lab.Run(t, "systemctl", "enable", "--now", "rexec-report.timer")
	if out, err := says("systemctl", "is-active", "rexec-report.timer"); err != nil {
		t.Errorf("the timer is %s", out)
	}
	lab.Run(t, "systemctl", "disable", "--now", "rexec-report.timer")
}
