package report

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Whoever makes up names and addresses must not fill the memory, nor push out of
// the report those who use the service.
func TestMadeUpNamesPushOutNobodyWhoWasLetIn(t *testing.T) {
	tally := New(Filter{}, at)
	legitimate := func(i int) {
		peer := netip.MustParseAddr("192.0.2.7")
		tally.add(&record{at: at, kind: accepted, user: "alice", peer: peer, command: strconv.Itoa(i)})
		tally.add(&record{at: at, kind: closed, user: "alice", peer: peer, ran: time.Second, timed: true})
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	legitimate(0)
	const many = 100_000
	for i := range many {
		peer := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		tally.add(&record{at: at, kind: failed, user: "nobody" + strconv.Itoa(i), peer: peer})
		if i%100 == 0 {
			legitimate(i)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int(after.HeapAlloc) - int(before.HeapAlloc); grown > 30<<20 {
		t.Errorf("the tally has %d bytes", grown)
	}
	r := tally.Report("sessions")
	if p := r.Pairs[0]; p.User != "alice" || p.Sessions != many/100+1 || p.AtLeast || p.Ended != many/100+1 {
		t.Errorf("the first pair is %+v", p)
	}
	sum := r.More.Failed
	for _, p := range r.Pairs {
		sum += p.Failed
	}
	if r.Totals.Failed != many || sum != many {
		t.Errorf("%d failures in all, %d in the pairs; want %d", r.Totals.Failed, sum, many)
	}
	for what, n := range map[string]int{"sources": r.Totals.Sources, "users": r.Totals.Users, "pairs": len(r.Pairs) + r.More.Pairs} {
		if !r.Totals.Estimated || math.Abs(float64(n)/many-1) > 0.08 {
			t.Errorf("about %d %s; want %d", n, what, many)
		}
	}
	if n := len(tally.now.commands.entries); n > 2*maxCommands {
		t.Errorf("%d commands", n)
	}
}

func TestDistinctCountsFewExactlyEnough(t *testing.T) {
	for _, want := range []int{0, 1, 10, 1000, 50_000} {
		var d distinct
		for i := range want {
			d.add(fmt.Sprint("name ", i))
			d.add(fmt.Sprint("name ", i))
		}
		if got := d.count(); math.Abs(float64(got-want)) > 0.08*float64(want) {
			t.Errorf("%d; want %d", got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	var s spread
	for i, d := range []time.Duration{5, 1, 3} {
		s.add(d * time.Second)
		if want := []time.Duration{5, 3, 3}[i] * time.Second; s.median() != want {
			t.Errorf("after %d: %v; want %v", i+1, s.median(), want)
		}
	}
	s = spread{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_001 {
		s.add(time.Duration(random.Int64N(int64(time.Hour))))
	}
	if m := s.median().Minutes(); math.Abs(m/30-1) > 0.09 {
		t.Errorf("median of an hour is %v min", m)
	}
	n := 0
	for _, c := range s.below(bounds) {
		n += c
	}
	if n != 10_001 {
		t.Errorf("%d in the distribution", n)
	}
	s = spread{}
	for range 100 {
		s.add(0)
	}
	if s.median() != 0 {
		t.Errorf("median of nothing is %v", s.median())
	}
}

// Lines may be long, and names be most of them: neither may be kept.
func TestLongLinesAndNamesAreNotKept(t *testing.T) {
	const lines, size = 100, 200_000
	long := strings.Repeat("x", size)
	for _, form := range []string{
		"Mar  4 10:00:00 h in.rexecd[1]: Failed password for u%d from 192.0.2.7 port 1: %s\n",
		"Mar  4 10:00:00 h in.rexecd[1]: Failed password for %d%s from 192.0.2.7 port 1\n",
		"Mar  4 10:00:00 h in.rexecd[1]: Accepted password for a from 192.0.2.7 port 1: account %d%s\n",
		"Mar  4 10:00:00 h in.rexecd[1]: Accepted password for a from 192.0.2.7 port 1: command \"%d\": %s\n",
		"Mar  4 10:00:00 h in.rexecd[1]: Refused connection from fe80::1%%%d%s port 1: x\n",
		`{"__REALTIME_TIMESTAMP":"1772000000000000","SYSLOG_IDENTIFIER":"in.rexecd","_UID":"0","_TRANSPORT":"journal",` +
			`"REXEC_OUTCOME":"failed","REXEC_USER":"%d%s"}` + "\n",
	} {
		tally := New(Filter{}, at)
		before := inUse()
		for n := range lines {
			if err := tally.Read(strings.NewReader(fmt.Sprintf(form, n, long)), at, nil); err != nil {
				t.Fatal(err)
			}
		}
		kept := inUse() - before
		r := tally.Report("sessions")
		if c := r.Totals; c.Sessions+c.Failed+c.Refused != lines {
			t.Errorf("%s: %+v", form, c)
		}
		if kept > lines*size/4 {
			t.Errorf("%s: %d bytes are kept of %d", form, kept, lines*size)
		}
	}
}

// inUse is how much memory has an owner.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A line from elsewhere has any time, and of one of the year 10000 no JSON can be made.
func TestEveryTimeThatCountsCanBeEncoded(t *testing.T) {
	for _, log := range []string{
		"9999-12-31T23:59:59-12:00" + line, "9998-12-31T23:59:59-12:00" + line, "0000-01-01T00:00:00+14:00" + line, "1970-01-01T00:00:00+14:00" + line,
		strings.Replace(journal(""), `TIMESTAMP":"`, `TIMESTAMP":"99`, 1),
	} {
		if _, err := json.Marshal(read(t, Filter{}, log+"\n")); err != nil {
			t.Errorf("%s: %v", log, err)
		}
	}
}

// Whoever has an account and many addresses must not make others look gone, or new.
func TestNobodyIsGoneWhoWasPushedOut(t *testing.T) {
	var log strings.Builder
	add := func(day int, user, source string) {
		fmt.Fprintf(&log, "Mar  %d 10:00:00 h in.rexecd[1]: Accepted password for %s from %s port 1\n", day, user, source)
	}
	add(2, "alice", "192.0.2.7")
	add(4, "alice", "192.0.2.7")
	add(2, "bob", "192.0.2.8")
	for n := range 2*maxPairs + 1 {
		for range 2 {
			add(4, "mallory", fmt.Sprintf("2001:db8::%x", n))
		}
	}
	c := read(t, Filter{Since: time.Date(2026, time.March, 3, 12, 0, 0, 0, time.Local)}, log.String()).Change
	if len(c.Gone) > 0 || !c.Unknown {
		t.Errorf("gone: %v; unknown: %v", c.Gone, c.Unknown)
	}
}
