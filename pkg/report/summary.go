package report

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Report is what the tally has so far. Pairs are in one of the orders of Sorts.
// The caller adds where the log is from.
func (t *Tally) Report(order string) *Report {
	s := t.now
	r := &Report{
		Version: version, Since: t.filter.Since, Until: t.filter.Until, User: t.filter.User,
		Lines: t.lines, Unreadable: t.unreadable, Forged: t.forged,
		Totals: s.totals(), Week: s.week, Runs: s.distribution(), Hours: s.sortedHours(),
		Commands: commandsOf(&s.commands, maxCommands), Pairs: []Pair{},
	}
	if t.filter.From.IsValid() {
		r.From = t.filter.From.String()
	}
	for key, p := range s.pairs.entries {
		r.Pairs = append(r.Pairs, p.public(key))
	}
	sortPairs(r.Pairs, order)
	if s.pairs.dropped {
		kept, m := len(s.pairs.entries), s.more
		r.More = &More{max(s.allPairs.count()-kept, 1), m.sessions, m.failed, m.refused, m.protocol}
	}
	r.Sources, r.Failing = part(&s.sources, netip.Addr.String)
	r.Users, r.Strange = part(&s.users, func(name string) string { return name })
	if s.sources.dropped || s.users.dropped {
		r.Dropped = &Dropped{r.Totals.Sources - len(s.sources.entries), r.Totals.Users - len(s.users.entries)}
	}
	if !t.earliest.IsZero() {
		r.Change = t.change()
	}
	return r
}

func (s *span) totals() Totals {
	c := s.total
	t := Totals{
		Sessions: c.sessions, Ended: c.ended, Failed: c.failed, Refused: c.refused, Penalised: s.penalised,
		ProtocolErrors: c.protocol, ConfigErrors: s.config, InternalErrors: s.internal,
		Sources: len(s.sources.entries), Users: len(s.users.entries),
		Estimated: s.sources.dropped || s.users.dropped,
		First:     s.first, Last: s.last,
		Median: s.runs.median().Seconds(), Longest: s.runs.max.Seconds(),
		Ran: s.runs.sum.Seconds(), CPU: s.cpu.Seconds(), Peak: s.peak,
	}
	if s.sources.dropped {
		t.Sources = max(s.allSources.count(), t.Sources)
	}
	if s.users.dropped {
		t.Users = max(s.allUsers.count(), t.Users)
	}
	return t
}

func (a *tallied) public() Counts {
	return Counts{a.sessions, a.failed, a.refused, a.protocol, a.first, a.last, a.partial}
}

func (p *pair) public(key pairKey) Pair {
	return Pair{
		Source: address(key.source), User: key.user, Counts: p.tallied.public(), Ended: p.ended,
		Median: p.runs.median().Seconds(), Longest: p.runs.max.Seconds(), CPU: p.cpu.Seconds(), Peak: p.peak,
		Commands: commandsOf(&p.commands, maxPairCommands),
	}
}

// part returns those that were let in, the most sessions first, and those that
// never were, the most failures first.
func part[K comparable](t *table[K, tallied], name func(K) string) (in, out []Named) {
	in, out = []Named{}, []Named{}
	for key, a := range t.entries {
		n := Named{name(key), a.public()}
		if a.letIn() > 0 {
			in = append(in, n)
		} else {
			out = append(out, n)
		}
	}
	for _, list := range [][]Named{in, out} {
		slices.SortFunc(list, func(a, b Named) int {
			return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(b.Bad(), a.Bad()),
				strings.Compare(a.Name, b.Name))
		})
	}
	return in, out
}

// commandsOf returns the most frequent commands.
func commandsOf(t *table[string, int], most int) []Command {
	list := []Command{}
	for text, n := range t.entries {
		list = append(list, Command{text, *n})
	}
	slices.SortFunc(list, func(a, b Command) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), strings.Compare(a.Text, b.Text))
	})
	return list[:min(most, len(list))]
}

func (s *span) sortedHours() []Hour {
	hours := make([]Hour, 0, len(s.hours))
	for _, h := range slices.Sorted(maps.Keys(s.hours)) {
		c := s.hours[h]
		hours = append(hours, Hour{time.Unix(h*3600, 0).UTC(), c.sessions, c.failed, c.refused, c.protocol})
	}
	return hours
}

// bounds part the run times for the plot.
var bounds = []time.Duration{
	100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour,
}

func (s *span) distribution() []Run {
	runs := make([]Run, len(bounds)+1)
	for i, n := range s.runs.below(bounds) {
		runs[i].Sessions = n
		if i < len(bounds) {
			runs[i].Below = bounds[i].Seconds()
		}
	}
	return runs
}

// change compares with the span before.
func (t *Tally) change() *Change {
	was := t.past.totals()
	return &Change{
		Since: t.earliest, Sessions: was.Sessions, Failed: was.Failed, Refused: was.Refused,
		Sources: was.Sources, Users: was.Users, New: missing(t.now, t.past), Gone: missing(t.past, t.now),
		Unknown: t.now.more.letIn()+t.past.more.letIn() > 0,
	}
}

// missing returns the uses that one span has and the other does not: none where the
// other had more than it could keep.
func missing(has, not *span) []Use {
	uses := []Use{}
	if not.more.letIn() > 0 {
		return uses
	}
	for key, p := range has.pairs.entries {
		if q := not.pairs.entries[key]; p.letIn() > 0 && (q == nil || q.letIn() == 0) {
			uses = append(uses, Use{address(key.source), key.user, p.letIn()})
		}
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), strings.Compare(a.Source, b.Source),
			strings.Compare(a.User, b.User))
	})
	return uses
}
