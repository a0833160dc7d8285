package report

import (
	"net/netip"
	"time"
)

// A Tally adds records up. Make it with New.
type Tally struct {
	filter   Filter
	earliest time.Time // where the span before begins; zero: there is none
	now      *span
	past     *span

	lines, unreadable, forged int
	latest                    time.Time
	cursor, after             string
}

// New returns a tally of the records that a filter chooses, at a time now.
func New(f Filter, now time.Time) *Tally {
	return &Tally{filter: f, earliest: f.before(now), now: newSpan(), past: newSpan()}
}

// Earliest is the time from which on the tally needs records, zero for all.
func (t *Tally) Earliest() time.Time { return t.earliest }

// Cursor is the place in the journal of the last entry that was read.
func (t *Tally) Cursor() string { return t.cursor }

// After leaves out the entry at a cursor, which is counted already. journalctl's
// --after-cursor cannot be trusted with it: when the journal has lost the entry, it
// passes over the next one instead (systemd 252).
func (t *Tally) After(cursor string) { t.cursor, t.after = cursor, cursor }

func (t *Tally) inSpan(at time.Time) bool {
	return !at.Before(t.filter.Since) && (t.filter.Until.IsZero() || at.Before(t.filter.Until))
}

func (t *Tally) add(r *record) {
	if r.at.After(t.latest) {
		t.latest = r.at
	}
	s := t.now
	switch {
	case t.inSpan(r.at):
	case !t.earliest.IsZero() && r.at.Before(t.filter.Since) && !r.at.Before(t.earliest):
		s = t.past
	default:
		return
	}
	if !t.filter.matches(r) {
		return
	}
	r.bound()
	for range max(r.times, 1) {
		s.add(r)
	}
}

// A count is how many records there are of each sort.
type count struct {
	sessions, failed, refused, protocol int
	ended                               int // sessions, which may have begun before the span
}

func (c *count) add(k kind) {
	switch k {
	case accepted:
		c.sessions++
	case failed:
		c.failed++
	case refused, penalised:
		c.refused++
	case protocolError:
		c.protocol++
	case closed:
		c.ended++
	}
}

func (c *count) sum(o count) {
	c.sessions += o.sessions
	c.failed += o.failed
	c.refused += o.refused
	c.protocol += o.protocol
	c.ended += o.ended
}

// letIn is how many sessions there were at least.
func (c *count) letIn() int { return max(c.sessions, c.ended) }

// weight keeps whoever was let in before all who were not: those can be made up.
func (c *count) weight() int64 {
	return int64(c.letIn())<<31 + int64(c.failed+c.refused+c.protocol)
}

// A tallied is what is known of one user, source or pair of both.
type tallied struct {
	count
	first, last time.Time
	partial     bool // it came after others had been dropped: earlier records may be missing
}

func (a *tallied) note(r *record) {
	a.count.add(r.kind)
	if a.first.IsZero() || r.at.Before(a.first) {
		a.first = r.at
	}
	if r.at.After(a.last) {
		a.last = r.at
	}
}

type pairKey struct {
	source netip.Addr
	user   string
}

// A pair is a user at a source.
type pair struct {
	tallied
	runs     spread
	cpu      time.Duration
	peak     int64
	commands table[string, int]
}

// How many of each are kept; twice as many between two prunings. With all of them
// full a tally takes some tens of megabytes.
const (
	maxPairs        = 3000
	maxNames        = 4000 // sources; users
	maxCommands     = 1000
	maxPairCommands = 4
	maxHours        = 24 * 366 * 12
)

func byCount(n *int) int64 { return int64(*n) }

// A span is what happened in a time.
type span struct {
	first, last time.Time
	total       count
	config      int // configuration errors
	internal    int
	penalised   int // of the refusals
	cpu         time.Duration
	peak        int64
	runs        spread

	pairs                table[pairKey, pair]
	more                 count // of the pairs that were dropped
	sources              table[netip.Addr, tallied]
	users                table[string, tallied]
	allPairs, allSources distinct
	allUsers             distinct
	commands             table[string, int]
	hours                map[int64]*count
	week                 [7][24]int // sessions by day, Monday first, and hour
}

func newSpan() *span {
	s := &span{hours: map[int64]*count{}}
	s.pairs = table[pairKey, pair]{size: maxPairs,
		weigh: func(p *pair) int64 { return p.weight() },
		drop:  func(_ pairKey, p *pair) { s.more.sum(p.count) }}
	weigh := func(a *tallied) int64 { return a.weight() }
	s.sources = table[netip.Addr, tallied]{size: maxNames, weigh: weigh}
	s.users = table[string, tallied]{size: maxNames, weigh: weigh}
	s.commands = table[string, int]{size: maxCommands, weigh: byCount}
	return s
}

func (s *span) add(r *record) {
	if s.first.IsZero() || r.at.Before(s.first) {
		s.first = r.at
	}
	if r.at.After(s.last) {
		s.last = r.at
	}
	switch r.kind {
	case configError:
		s.config++
		return
	case internalError:
		s.internal++
		return
	case penalised:
		s.penalised++
	case closed:
		s.cpu = sum(s.cpu, r.cpu)
		s.peak = max(s.peak, r.peak)
		if r.timed {
			s.runs.add(r.ran)
		}
	}
	s.total.add(r.kind)
	s.addHour(r)
	s.addPair(r)
	if r.peer.IsValid() {
		s.allSources.add(r.peer.String())
		a, isNew := s.sources.get(r.peer)
		a.partial = a.partial || isNew && s.sources.dropped
		a.note(r)
	}
	if name := r.name(); name != "" {
		s.allUsers.add(name)
		a, isNew := s.users.get(name)
		a.partial = a.partial || isNew && s.users.dropped
		a.note(r)
	}
}

func (s *span) addPair(r *record) {
	key := pairKey{r.peer, r.name()}
	s.allPairs.add(r.peer.String() + " " + key.user)
	p, isNew := s.pairs.get(key)
	if isNew {
		p.partial = s.pairs.dropped
		p.commands = table[string, int]{size: maxPairCommands, weigh: byCount}
	}
	p.note(r)
	if r.kind == closed {
		p.cpu = sum(p.cpu, r.cpu)
		p.peak = max(p.peak, r.peak)
		if r.timed {
			p.runs.add(r.ran)
		}
	}
	if r.kind == accepted && r.command != "" {
		n, _ := p.commands.get(r.command)
		*n++
		n, _ = s.commands.get(r.command)
		*n++
	}
}

func (s *span) addHour(r *record) {
	if r.kind == accepted {
		local := r.at.Local()
		s.week[(int(local.Weekday())+6)%7][local.Hour()]++
	}
	if r.kind == closed {
		return
	}
	hour := r.at.Unix() / 3600
	c := s.hours[hour]
	if c == nil && len(s.hours) < maxHours {
		c = &count{}
		s.hours[hour] = c
	}
	if c != nil {
		c.add(r.kind)
	}
}
