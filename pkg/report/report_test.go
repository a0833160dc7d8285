package report

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// at is when the tests' file was last written.
var at = time.Date(2026, time.March, 5, 12, 0, 0, 0, time.Local)

func read(t testing.TB, f Filter, text string) *Report {
	t.Helper()
	tally := New(f, at)
	if err := tally.Read(strings.NewReader(text), at, nil); err != nil && !strings.HasPrefix(text, exportBegin) {
		t.Fatal(err)
	}
	return tally.Report("sessions")
}

func TestTimestamps(t *testing.T) {
	for _, c := range []struct {
		newest      time.Time
		stamp, want string
	}{
		{at, "2026-03-04T10:00:00.123456+01:00", "2026-03-04T09:00:00Z"},
		{at, "2026-03-04T10:00:00Z", "2026-03-04T10:00:00Z"},
		{at, "Mar  4 10:00:00", "2026-03-04 local"},
		{at, "Mar  6 10:00:00", "2026-03-06 local"}, // a clock that is ahead
		{at, "Mar  7 10:00:00", "2025-03-07 local"},
		{at, "Dec 31 23:59:59", "2025-12-31 local"},
		{at, "Feb 29 10:00:00", "2024-02-29 local"},
		{time.Date(2025, time.December, 31, 23, 59, 0, 0, time.Local), "Jan  1 00:00:30", "2026-01-01 local"},
		{at, "Feb 30 10:00:00", ""},
		{at, "0000-00-00T00:00:00Z", ""},
	} {
		var r record
		_, ok := parseLine([]byte(c.stamp+" host in.rexecd[1]: Accepted password for alice from 192.0.2.7 port 1"), c.newest, &r)
		got := r.at.UTC().Format("2006-01-02T15:04:05Z")
		if strings.HasSuffix(c.want, "local") {
			got = r.at.Format("2006-01-02") + " local"
		}
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s in a file of %v: %s, %v; want %s", c.stamp, c.newest, got, ok, c.want)
		}
	}
}

func TestMessages(t *testing.T) {
	peer := netip.MustParseAddr("192.0.2.7")
	for text, want := range map[string]record{
		"Accepted password for alice from 192.0.2.7 port 1":                                      {kind: accepted, user: "alice", peer: peer},
		"Accepted none for guest from 192.0.2.7 port 1: account gst1":                            {kind: accepted, user: "guest", account: "gst1", peer: peer},
		"Accepted rhosts for alice from ::ffff:192.0.2.7 port 1":                                 {kind: accepted, user: "alice", peer: peer},
		`Accepted rhosts for A from 192.0.2.7 port 1 as bob: account a: command "id"`:            {kind: accepted, user: "A", account: "a", command: "id", peer: peer},
		`Failed rhosts for A from 192.0.2.7 port 1 as "x: account b": account a: PAM: no`:        {kind: failed, user: "A", account: "a", peer: peer},
		"Session closed for a from 192.0.2.7 port 1 as bob: exit status 0 after 1.0s":            {kind: closed, user: "a", peer: peer, ran: time.Second, timed: true},
		`Accepted password for A from 192.0.2.7 port 1: account a: rule "r: command \"x\""`:      {kind: accepted, user: "A", account: "a", peer: peer},
		`Accepted password for a from 192.0.2.7 port 1: service rsh: peer "CN=x": command "a:b"`: {kind: accepted, user: "a", command: "a:b", peer: peer},
		`Accepted password for a from 192.0.2.7 port 1: command "ab\x00"... (2000 bytes)`:        {kind: accepted, user: "a", command: "ab\x00", peer: peer},
		`Accepted password for a from 192.0.2.7 port 1: command "ab\u00`:                         {kind: accepted, user: "a", command: "ab", peer: peer},
		`Failed password for invalid user "a from 1.1.1.1 port 2" from 192.0.2.7 port 1: x`:      {kind: failed, user: "a from 1.1.1.1 port 2", peer: peer},
		"Failed password for invalid from 192.0.2.7 port 1: account expired":                     {kind: failed, user: "invalid", peer: peer},
		"Failed password for B from 192.0.2.7 port 1: account b: PAM: no":                        {kind: failed, user: "B", account: "b", peer: peer},
		"Refused alice from 192.0.2.7 port 1: no: such; answered as a failed login":              {kind: refused, user: "alice", peer: peer},
		"Refused connection from 192.0.2.7 port 1: penalty of 192.0.2.7/32 for authfail":         {kind: penalised, peer: peer},
		`Refused "connection" from 192.0.2.7 port 1: no`:                                         {kind: refused, user: "connection", peer: peer},
		"Protocol error from 192.0.2.7 port 1: x":                                                {kind: protocolError, peer: peer},
		"Configuration error: rexecd.toml:1:1: x":                                                {kind: configError},
		"Internal error from 192.0.2.7 port 1: x":                                                {kind: internalError, peer: peer},
		"Session closed for a from 192.0.2.7 port 1: exit status 0 after 1.3s, cpu 0.9s, 34 MB": {
			kind: closed, user: "a", peer: peer, ran: 1300 * time.Millisecond, timed: true,
			cpu: 900 * time.Millisecond, peak: 34e6},
		"Session closed for A from 192.0.2.7 port 1: account a: killed by signal 9 (KILL) after 2.0s, cpu 0.0s: lost": {
			kind: closed, user: "A", account: "a", peer: peer, ran: 2 * time.Second, timed: true},
		"Session closed for a from 192.0.2.7 port 1: command still running after 5.0s": {kind: closed, user: "a", peer: peer},
		"Session closed for a from 192.0.2.7 port 1: exit status 0 after 1":            {kind: closed, user: "a", peer: peer},
		"Session closed for a from 192.0.2.7 port 1: exit status 0 after -1.0s":        {kind: closed, user: "a", peer: peer},
		"Session closed for a from 192.0.2.7 port 1: exit status 0 after NaNs":         {kind: closed, user: "a", peer: peer},
	} {
		var r record
		if decision, ok := parseMessage(text, &r); !decision || !ok || r != want {
			t.Errorf("%s:\n%+v, %v, %v; want\n%+v", text, r, decision, ok, want)
		}
	}
}

func TestWhatIsNoDecisionOrIsCutOff(t *testing.T) {
	for text, decision := range map[string]bool{
		"Accepted password for alice from 192.0.2.7 por": true,
		"Accepted password for":                          true,
		`Failed password for "al`:                        true,
		"Refused alice from nowhere port 1":              true,
		"Session closed for ":                            true,
		"Trace from 192.0.2.7 port 1: 0.001s: x":         false,
		"pam_unix(rexec:auth): authentication failure":   false,
		"": false,
	} {
		var r record
		if got, ok := parseMessage(text, &r); got != decision || ok {
			t.Errorf("%q: %v, %v; want %v", text, got, ok, decision)
		}
	}
}

const line = " host in.rexecd[12]: Accepted password for alice from 192.0.2.7 port 1"

func TestLines(t *testing.T) {
	for _, c := range []struct {
		text                 string
		sessions, unreadable int
	}{
		{"Mar  4 10:00:00" + line, 1, 0},
		{"<86>Mar  4 10:00:00" + line + "\r", 1, 0},
		{"<86>Mar  4 10:00:00 in.rexecd[1]: Accepted password for a from 1.2.3.4 port 5", 1, 0},
		{"Mar  4 10:00:00 host in.rexecd: Accepted password for a from 1.2.3.4 port 5", 1, 0},
		{"Mar  4 10:00:00 host in.rshd[1]: Accepted rhosts for a from 1.2.3.4 port 5", 1, 0},
		{"Mar  4 10:00:00 host in.rexecd[1]: message repeated 3 times: [ Accepted password for a from 1.2.3.4 port 5]", 3, 0},
		{"Mar  4 10:00:00 host in.rexecd[1]: message repeated 1000000000 times: [ Accepted password for a from 1.2.3.4 port 5]", 0, 0},
		{"Mar  4 10:00:00 host sudo: in.rexecd[1]: Accepted password for a from 1.2.3.4 port 5", 0, 0},
		{"Mar  4 10:00:00 host sshd[1]: Accepted password for a from 1.2.3.4 port 5", 0, 0},
		{"Mar  4 10:00:00 host in.rexecd[1x]: Accepted password for a from 1.2.3.4 port 5", 0, 0},
		{"Mar  4 10:00:00 host in.rexecd2[1]: Accepted password for a from 1.2.3.4 port 5", 0, 0},
		{"Mar  4 10:00:00 host in.rexecd[1]: Accepted password for a", 0, 1},
		{"yesterday host in.rexecd[1]: Accepted password for a from 1.2.3.4 port 5", 0, 0},
		{"in.rexecd", 0, 0},
		{"\xff\xfein.rexecd[1]: \x00\x00", 0, 0},
		{"{in.rexecd", 0, 1},
		{"Mar  4 10:00:00" + line + strings.Repeat("x", 3<<20), 1, 0},
		{strings.Repeat("x", 3<<20) + "\nMar  4 10:00:00" + line, 1, 0},
		{`{"MESSAGE":"` + strings.Repeat("x", 3<<20) + `"}`, 0, 1},
	} {
		r := read(t, Filter{}, c.text+"\n")
		if r.Totals.Sessions != c.sessions || r.Unreadable != c.unreadable {
			t.Errorf("%.200q: %d sessions, %d unreadable; want %d, %d", c.text,
				r.Totals.Sessions, r.Unreadable, c.sessions, c.unreadable)
		}
	}
}

// journal is an entry whose fields a test overrides.
func journal(fields string) string {
	return `{"__REALTIME_TIMESTAMP":"1772600000000000","__CURSOR":"s=1","SYSLOG_IDENTIFIER":"in.rexecd","_TRANSPORT":"journal","_UID":"0",` +
		`"_EXE":"/usr/sbin/in.rexecd","REXEC_OUTCOME":"accepted","REXEC_USER":"alice","REXEC_PEER":"192.0.2.7","MESSAGE":""` + fields + "}\n"
}

func TestOnlyTheServersOwnEntriesCount(t *testing.T) {
	for fields, want := range map[string][3]int{ // sessions, forged, unreadable
		``:                          {1, 0, 0},
		`,"_UID":"1000"`:            {0, 1, 0},
		`,"_UID":null`:              {0, 1, 0},
		`,"_EXE":"/usr/bin/logger"`: {0, 1, 0},
		`,"_EXE":"/usr/sbin/in.rexecd (deleted)"`: {1, 0, 0},
		`,"_EXE":null`:                        {1, 0, 0},
		`,"_TRANSPORT":"stdout"`:              {0, 1, 0},
		`,"SYSLOG_IDENTIFIER":"other"`:        {0, 0, 0},
		`,"REXEC_PEER":"nowhere"`:             {0, 0, 1},
		`,"REXEC_OUTCOME":"trace"`:            {0, 0, 0},
		`,"REXEC_OUTCOME":null,"MESSAGE":"x"`: {0, 0, 0},
		`,"REXEC_USER":[97,255,10]`:           {1, 0, 0},
		`,"REXEC_USER":["a","b"]`:             {1, 0, 0},
		`,"REXEC_USER":{"a":"b"}`:             {1, 0, 0},
		`,"__REALTIME_TIMESTAMP":"x"`:         {0, 0, 1},
		`,"REXEC_OUTCOME":null,"MESSAGE":"Accepted password for bob from 192.0.2.7 port 1","_TRANSPORT":"syslog"`: {1, 0, 0},
	} {
		r := read(t, Filter{}, journal(fields))
		if got := [3]int{r.Totals.Sessions, r.Forged, r.Unreadable}; got != want {
			t.Errorf("%s: %v; want %v", fields, got, want)
		}
	}
	r := read(t, Filter{}, journal(`,"REXEC_USER":[97,255,10]`))
	if r.Pairs[0].User != "a\xff\n" {
		t.Errorf("user %q", r.Pairs[0].User)
	}
	r = read(t, Filter{}, journal(`,"REXEC_COMMAND":null,"MESSAGE":"Accepted password for alice from 192.0.2.7 port 1: command \"begin\"... (9999 bytes)"`))
	if r.Pairs[0].Commands[0].Text != "begin" {
		t.Errorf("commands %v", r.Pairs[0].Commands)
	}
}

// The same entries in the Journal Export Format, whose fields may hold any bytes.
func TestExportedEntries(t *testing.T) {
	text := func(name, v string) string { return name + "=" + v + "\n" }
	bytes := func(name, v string) string {
		return name + "\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(v)))) + v + "\n"
	}
	entry := func(user string) string {
		return text("__CURSOR", "s=1") + text("__REALTIME_TIMESTAMP", "1772600000000000") + text("SYSLOG_IDENTIFIER", "in.rexecd") +
			text("_TRANSPORT", "journal") + text("_UID", "0") + text("REXEC_OUTCOME", "accepted") + text("REXEC_PEER", "192.0.2.7") + user
	}
	hostile := "a\n\n_UID=1\nREXEC_PEER=192.0.2.99\n\xff"
	log := entry(text("REXEC_USER", "a=b")) + "\n" + entry(bytes("REXEC_USER", hostile)) + "\n" +
		entry(bytes("REXEC_COMMAND", strings.Repeat("c", 3<<20))+text("_EXE", "/usr/bin/logger")) + "\n"
	r := read(t, Filter{}, log)
	if r.Totals.Sessions != 2 || r.Forged != 1 || r.Lines != 3 || len(r.Pairs) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, want := range []string{"a=b", hostile} {
		if !slices.ContainsFunc(r.Pairs, func(p Pair) bool { return p.User == want && p.Source == "192.0.2.7" }) {
			t.Errorf("%d: no user %q in %+v", i, want, r.Pairs)
		}
	}
	for cut := range entry(bytes("REXEC_USER", "a\nb")) {
		if r := New(Filter{}, at); r.Read(strings.NewReader(entry(bytes("REXEC_USER", "a\nb"))[:cut]), at, nil) == nil {
			if n := r.Report("sessions").Totals.Sessions; n != 0 {
				t.Errorf("cut off at %d it counts", cut)
			}
		}
	}
}

func TestTheSpanBeforeIsComparedWith(t *testing.T) {
	var text strings.Builder
	add := func(day int, user string) {
		fmt.Fprintf(&text, "2026-02-%02dT10:00:00Z h in.rexecd[1]: Accepted password for %s from 192.0.2.7 port 1\n", day, user)
	}
	for _, c := range []struct {
		day  int
		user string
	}{{1, "ancient"}, {12, "old"}, {13, "both"}, {22, "both"}, {23, "new"}, {28, "late"}} {
		add(c.day, c.user)
	}
	day := func(d int) time.Time { return time.Date(2026, 2, d, 0, 0, 0, 0, time.UTC) }
	r := read(t, Filter{Since: day(20), Until: day(27)}, text.String())
	want := Change{Since: day(13), Sessions: 1, Sources: 1, Users: 1, New: []Use{{"192.0.2.7", "new", 1}}, Gone: []Use{}}
	if c := r.Change; r.Totals.Sessions != 2 || fmt.Sprint(*c) != fmt.Sprint(want) {
		t.Errorf("%d sessions, change %v; want %v", r.Totals.Sessions, c, want)
	}
	if r := read(t, Filter{User: "new"}, text.String()); r.Totals.Sessions != 1 || r.Change != nil {
		t.Errorf("user new: %+v", r.Totals)
	}
	if r := read(t, Filter{From: netip.MustParsePrefix("192.0.2.8/32")}, text.String()); r.Totals.Sessions != 0 {
		t.Errorf("from another address: %+v", r.Totals)
	}
}

func TestPairsAreSortedByEveryColumn(t *testing.T) {
	a := Pair{Source: "10.0.0.9", User: "b", Median: 1, Longest: 1, CPU: 1, Peak: 1,
		Counts: Counts{Sessions: 2, First: at, Last: at.Add(1)}}
	b := Pair{Source: "10.0.0.10", User: "a", Median: 2, Longest: 2, CPU: 2, Peak: 2,
		Counts: Counts{Sessions: 1, Failed: 1, Refused: 1, First: at.Add(1), Last: at.Add(2)}}
	for _, order := range Sorts {
		pairs := []Pair{a, b}
		sortPairs(pairs, order)
		wantA := order == "sessions" || order == "source"
		if (pairs[0].User == "b") != wantA {
			t.Errorf("by %s the first is %v", order, pairs[0].User)
		}
	}
	if !slices.Contains(Sorts, "sessions") {
		t.Error("sessions is the default order")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("Mar  4 10:00:00" + line)
	f.Add(journal(""))
	f.Add("__CURSOR=x\nREXEC_OUTCOME=failed\nREXEC_USER\n\x01\x00\x00\x00\x00\x00\x00\x00a\n\n")
	f.Add(`2026-03-04T10:00:00Z h in.rexecd[1]: Session closed for a from ::1 port 1: exit status 0 after 1.3s, cpu 0.9s, 34 MB`)
	f.Fuzz(func(t *testing.T, text string) {
		r := read(t, Filter{}, text)
		n := r.Totals
		if got := n.Sessions + n.Ended + n.Failed + n.Refused + n.ProtocolErrors + n.ConfigErrors + n.InternalErrors +
			r.Unreadable + r.Forged; got > 1000*r.Lines {
			t.Errorf("%d records in %d lines", got, r.Lines)
		}
	})
}

func TestNetworksHaveNoZones(t *testing.T) {
	log := "Mar  4 10:00:00 h in.rexecd[1]: Accepted password for a from fe80::1%eth0 port 5\n"
	for from, want := range map[string]int{"fe80::/10": 1, "fe80::1/128": 1, "fe80::2/128": 0, "0.0.0.0/0": 0} {
		if r := read(t, Filter{From: netip.MustParsePrefix(from)}, log); r.Totals.Sessions != want {
			t.Errorf("-from %s: %d sessions; want %d", from, r.Totals.Sessions, want)
		}
	}
}

func TestTimesThatAreForgedNeverAddUpToLessThanNone(t *testing.T) {
	const log = "Mar  4 10:00:00 h in.rexecd[1]: Session closed for a from 192.0.2.7 port 1: exit status 0 after 900000000.0s, cpu 900000000.0s\n"
	r := read(t, Filter{}, strings.Repeat(log, 40))
	if r.Totals.CPU < 9e9 || r.Totals.Ran < 9e9 || r.Pairs[0].CPU < 9e9 {
		t.Errorf("%+v", r.Totals)
	}
}

func TestTheSpanBeforeBeginsWhereJournalctlCan(t *testing.T) {
	if begin := New(Filter{Since: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)}, at).Earliest(); begin.Unix() != 0 {
		t.Errorf("it begins at %v", begin)
	}
}
