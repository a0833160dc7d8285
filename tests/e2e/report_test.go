package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/pkg/audit"
	"rexecd/tests/lab"
)

// hostile are names and commands that try to be something else in the report.
var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</title><svg onload=alert(1)>", "&lt;b&gt;", "{{.}}",
	"\x1b]0;owned\x07\x1b[2J", "a\rb\nc", "\u202eevil", "\x9b31m", "\xff\xfe", "a\x00b", strings.Repeat("u", 256),
	"=1+1", "@SUM(A1)", "+1", "-1", "a from 192.0.2.99 port 5", `a" from 192.0.2.99 port 5: account "root`, "invalid user x",
	"a\n# EOF\nrexec_sessions_total 1e9", `a\`, `a"b`, "a,b;c|d`e`$(f)", "日本", "\u0301", "connection ", "null",
	// Those of tests/attack:
	everyByte(), "%n%n%s%s%999999d", "\x1b]0;owned\x07\x1b[2J", "../../../../etc/shadow", "-froot", "../root", "a:b", "a/b", "-r/:",
	"root\nAccepted password for root from 127.0.0.1 port 1", "root\n", "root\x01", "\xff;touch x", "\x0b;touch x",
}

// everyByte has each byte but NUL.
func everyByte() string {
	var b strings.Builder
	for n := 1; n < 256; n++ {
		b.WriteByte(byte(n))
	}
	return b.String()
}

const writeKinds = "E2E_WRITE_KINDS"

// TestWritesOneRecordOfEveryKind is no test of its own: the next one runs it in a room, whose log
// gets what it writes.
func TestWritesOneRecordOfEveryKind(t *testing.T) {
	if os.Getenv(writeKinds) == "" {
		return
	}
	defer func() { recover() }() // the kind after the last
	peer := netip.MustParseAddrPort("192.0.2.7:1023")
	log := audit.Log{Stderr: 2}
	for _, name := range append(hostile, "alice") {
		log.Write(audit.Event{Kind: audit.Accepted, User: name, Account: "acct", Peer: peer, Rule: name, Command: name})
		log.Write(audit.Event{Kind: audit.Failed, User: name, Peer: peer, Reason: errors.New(name), Invalid: true})
		log.Write(audit.Event{Kind: audit.Closed, User: name, Account: name, Peer: peer, Signal: syscall.SIGKILL,
			Duration: 2500 * time.Millisecond, CPU: time.Second, Peak: 34e6})
	}
	for kind := audit.Accepted; ; kind++ {
		log.Write(audit.Event{Kind: kind, User: "kinds", Peer: peer, Reason: errors.New("reason: x"), Command: "id",
			Duration: 1500 * time.Millisecond, CPU: time.Second, Peak: 34e6})
	}
}

// written returns what every kind of record looks like, in the journal or in syslog's file.
func written(t testing.TB, room lab.Room) *lab.Log {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWritesOneRecordOfEveryKind$")
	cmd.Env = append(os.Environ(), writeKinds+"=1")
	log := room.Command(t, cmd)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return log
}

// reported is what rexecd -report -json prints of a file.
func reported(t testing.TB, text string, args ...string) map[string]any {
	t.Helper()
	out, stderr, status := report(t, text, append(args, "-json")...)
	var r map[string]any
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 0 || stderr != "" {
		t.Fatalf("status %d, %q, %v: %.300s", status, stderr, err, out)
	}
	return r
}

// report runs rexecd -report on a file with this content.
func report(t testing.TB, text string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, exec.Command(lab.Rexecd(t), append([]string{"-report", "-file", name}, args...)...))
}

// Whatever package audit writes, in either form, the report must count: a new kind of record or
// another wording fails here.
func TestTheReportCountsEveryKindOfRecordInBothForms(t *testing.T) {
	t.Parallel()
	journal := written(t, lab.Room{})
	syslog := written(t, lab.Room{NoJournal: true})
	decisions := 0
	for _, r := range journal.Records() {
		if r["REXEC_OUTCOME"] != "trace" {
			decisions++
		}
	}
	n := len(hostile) + 1
	if decisions != 3*n+8 {
		t.Fatalf("%d decisions written; want %d: a new kind?", decisions, 3*n+8)
	}
	for form, text := range map[string]string{
		"journal": journal.JournalJSON(t), "syslog": strings.Join(syslog.Lines(), "\n"),
		"RFC 3339": dated(syslog.Lines()),
	} {
		r := reported(t, text)
		totals := r["totals"].(map[string]any)
		for key, want := range map[string]int{"sessions": n + 1, "failed": n + 1, "ended": n + 1, "refused": 2, "penalised": 1,
			"protocol_errors": 1, "configuration_errors": 1, "internal_errors": 1} {
			if totals[key] != float64(want) {
				t.Errorf("%s: %s = %v; want %d", form, key, totals[key], want)
			}
		}
		if r["unreadable"] != 0.0 || r["forged"] != 0.0 || totals["longest_seconds"] != 2.5 || totals["peak_bytes"] != 34e6 {
			t.Errorf("%s: %v", form, r)
		}
		for _, name := range hostile {
			if want := string([]rune(name)); !hasUser(r, want) { // each byte that is no UTF-8 is U+FFFD
				t.Errorf("%s: no user %q", form, want)
			}
		}
		if totals["sources"] != 1.0 {
			t.Errorf("%s: %v sources; a name has made another", form, totals["sources"])
		}
	}
}

// dated is what rsyslog's RSYSLOG_FileFormat makes of syslog's datagrams.
func dated(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		_, tagged, _ := strings.Cut(l, " in.rexecd")
		fmt.Fprintf(&b, "%s private-host in.rexecd%s\n", time.Now().Format("2006-01-02T15:04:05.000000Z07:00"), tagged)
	}
	return b.String()
}

func hasUser(r map[string]any, name string) bool {
	return slices.ContainsFunc(r["pairs"].([]any), func(p any) bool { return p.(map[string]any)["user"] == name })
}

func TestHostileNamesBreakNeitherTableNorMetrics(t *testing.T) {
	t.Parallel()
	log := written(t, lab.Room{})
	out, _, _ := report(t, log.JournalJSON(t), "-rows", "0")
	for line := range strings.Lines(out) {
		if !printable(strings.TrimSuffix(line, "\n")) {
			t.Errorf("the table has the line %q", line)
		}
		if strings.ContainsAny(line[:1], "=+@") {
			t.Errorf("a spreadsheet takes the line %q for a formula", line)
		}
	}
	out, _, _ = report(t, log.JournalJSON(t), "-openmetrics")
	checkMetrics(t, out)
	if strings.Count(out, "# EOF") != 1 || !strings.HasSuffix(out, "# EOF\n") || strings.Contains(out, "1e9\n") {
		t.Errorf("a name has broken the metrics:\n%s", out)
	}
}

// checkMetrics has Prometheus' own tool read metrics.
func checkMetrics(t testing.TB, text string) {
	t.Helper()
	cmd := exec.Command(promtool(t), "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s\n%s", err, out, text)
	}
}

func promtool(t testing.TB) string { t.Helper(); return lab.Deb(t, "prometheus") + "/usr/bin/promtool" }
