package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/report"
)

func TestNamesAreHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"alice": "alice", "müller": "müller", "": "-", "-": `"-"`, "a b": `"a b"`, "=1+1": `"=1+1"`, "+1": `"+1"`, "@x": `"@x"`,
		`"a"`: `"\"a\""`, "a\x1b[2J": `"a\x1b[2J"`, "a\u202eb": `"a\u202eb"`, "\xff": `"\xff"`, "日": `"\u65e5"`, `a\b`: `a\b`,
		"a\u0301": `"a\u0301"`, "a\u007f": `"a\x7f"`, "a\u00a0b": `"a\u00a0b"`, "2001:db8::1": "2001:db8::1",
	} {
		if got := name(in); got != want {
			t.Errorf("name(%q) = %s; want %s", in, got, want)
		}
	}
	if got := command("ls -l 'a b'"); got != "ls -l 'a b'" {
		t.Errorf("a command is %s", got)
	}
	seen := map[string]string{} // no name can pass for another
	for _, in := range []string{"", "-", `"-"`, `\x1b`, "\x1b", `"\x1b"`, "a", `"a"`} {
		if other, there := seen[name(in)]; there {
			t.Errorf("%q and %q are both %s", in, other, name(in))
		}
		seen[name(in)] = in
	}
}

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		duration(0.04): "0.0s", duration(9.96): "10.0s", duration(59.6): "1m00s", duration(3599.7): "1h00m",
		duration(86399): "1d00h", duration(1e6): "11d14h", number(-1234567): "-1,234,567", number(999): "999", number(1000): "1,000",
		counted(1, "session"): "1 session", counted(0, "session"): "0 sessions", size(1): "1 MB", size(12e9): "12 GB",
	} {
		if got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
	for n, want := range map[int]int{1: 1, 2: 2, 5: 6, 7: 8, 9: 10, 11: 20, 350: 400} {
		if got := nice(n); got != want {
			t.Errorf("nice(%d) = %d; want %d", n, got, want)
		}
	}
}

// Addresses of IPv6 are many, and each would be a series in a monitoring system.
func TestMetricsHaveAtMostSoManySeries(t *testing.T) {
	r := &report.Report{Made: time.Unix(1, 0)}
	for i := range 2 * maxSeries {
		source := fmt.Sprintf("2001:db8::%x", i)
		r.Pairs = append(r.Pairs, report.Pair{Source: source, User: "alice", Counts: report.Counts{Sessions: 2}})
		r.Totals.Sessions += 2
	}
	var first, second bytes.Buffer
	if err := new(Metrics).WriteMetrics(&first, r, "s=1"); err != nil {
		t.Fatal(err)
	}
	m, err := ReadMetrics(bytes.NewReader(first.Bytes()))
	if err != nil || m.Cursor != "s=1" {
		t.Fatalf("%v, %+v", err, m)
	}
	if err := m.WriteMetrics(&second, r, "s=1"); err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{first.String(), second.String()} {
		if n := strings.Count(text, "\nrexec_sessions_total{"); n != maxSeries {
			t.Errorf("%d series", n)
		}
		if want := fmt.Sprintf("\nrexec_sessions_total %d\n", (i+1)*2*maxSeries); !strings.Contains(text, want) {
			t.Errorf("run %d: the others are not%s", i+1, want)
		}
	}
}

func TestAnEmptyReportIsOneInEveryForm(t *testing.T) {
	r := report.New(report.Filter{}, time.Now()).Report("sessions")
	var text, page, json bytes.Buffer
	if err := Text(&text, r, 80, 10); err != nil || !strings.Contains(text.String(), "There is no record.") {
		t.Errorf("%v: %s", err, &text)
	}
	if err := HTML(&page, r, 10); err != nil || !strings.HasSuffix(page.String(), "</html>\n") {
		t.Errorf("%v: %s", err, &page)
	}
	if err := JSON(&json, r); err != nil || strings.Contains(json.String(), "null") {
		t.Errorf("%v: %s", err, &json)
	}
}

func TestBarsCoverTheTimeWhateverItIs(t *testing.T) {
	first := time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)
	for _, days := range []int{0, 1, 4, 5, 120, 121, 800, 801, 4000} {
		last := first.AddDate(0, 0, days)
		b := partition(first, last)
		if b[0].After(first) || !b[len(b)-1].After(last) || len(b) > 140 {
			t.Errorf("%d days: %d bars from %v to %v", days, len(b)-1, b[0], b[len(b)-1])
		}
		p := overTime("x", []report.Hour{{Begin: first, Failed: 3}, {Begin: last, Failed: 2}},
			[]series{{"failed", "failed", func(h *report.Hour) int { return h.Failed }}})
		sum := 0
		for _, r := range p.Rects {
			sum += r.Value
			if r.X < 0 || r.Y < 0 || r.X+r.W > p.Width || r.Y+r.H > p.Height {
				t.Errorf("%d days: a bar at %+v", days, r)
			}
		}
		if sum != 5 {
			t.Errorf("%d days: the bars are %d", days, sum)
		}
	}
}

// Terminals obey C1 characters and marks of direction, which JSON permits.
func TestJSONHasNothingThatTerminalsObey(t *testing.T) {
	const hostile = "a\x7f\u009b2J\u202eb\ufeff\U000e0041日\n\x1b\\"
	var b bytes.Buffer
	if err := JSON(&b, &report.Report{User: hostile}); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && !strconv.IsPrint(r) {
			t.Errorf("the object has the character %U", r)
		}
	}
	var got report.Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.User != hostile {
		t.Errorf("it says %q, %v", got.User, err)
	}
}
