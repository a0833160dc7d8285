// Package penalty makes sources of failed logins wait, as OpenSSH's
// PerSourcePenalties does, but without a daemon: one small file under /run keeps
// the sources' failures, and the process of each connection reads it for itself.
//
// A penalty is time. Each failure adds some, and the time expires by itself. A
// source whose outstanding time exceeds a minimum is refused until all of it
// has expired.
package penalty

import (
	"fmt"
	"net/netip"
	"time"
)

// A Kind is a kind of failure.
type Kind uint8

// The kinds; the names are those of the settings.
const (
	AuthFail      Kind = iota // the password was not right
	NoAuth                    // the connection ended before the request did
	GraceExceeded             // the grace time was over before the command ran
	Protocol                  // the peer violated the protocol
	kinds
)

func (k Kind) String() string {
	if k >= kinds {
		return "unknown"
	}
	return [...]string{"authfail", "noauth", "grace_exceeded", "protocol"}[k]
}

// A Table has the rules of the penalties and the place of their state.
type Table struct {
	Dir    string               // directory of the state, made when the first penalty is given
	Amount [kinds]time.Duration // of one failure, by Kind; zero: none
	Min    time.Duration        // outstanding time from which a source is refused
	Max    time.Duration        // outstanding time never exceeds this
	Exempt []netip.Prefix       // sources that are never penalised
	Shared []netip.Prefix       // addresses of proxies and gateways: see origin
	Bits4  int                  // how many bits of an IPv4 address are the source
	Bits6  int                  // and of an IPv6 address
}

// Dir is where the server keeps the state.
const Dir = "/run/in.rexecd"

// A Penalty is the time that one source has outstanding.
type Penalty struct {
	Source netip.Prefix
	User   uint32        // the mark of the user behind a shared source; 0: the source itself
	Last   Kind          // its latest failure
	Left   time.Duration // until all of it has expired
	Active bool          // the minimum was exceeded: the source is refused
}

// Origin returns the source and, where it is shared, the user's mark, as
// "192.0.2.1/32 user 3f9a07c2".
func (p *Penalty) Origin() string {
	if p.User == 0 {
		return p.Source.String()
	}
	return fmt.Sprintf("%v user %08x", p.Source, p.User)
}

func (p *Penalty) String() string {
	return fmt.Sprintf("penalty of %s for %v, %v left", p.Origin(), p.Last, p.Left.Round(time.Second))
}

// Check returns the active penalty that applies to the user at a peer's address,
// nil if there is none. The user name is as the peer sent it, and empty while it
// is not known yet. It matters for shared sources only, which have no penalty
// without it. Check waits for no lock.
func (t *Table) Check(peer netip.Addr, user string) (*Penalty, error) {
	if t.exempt(peer) {
		return nil, nil
	}
	shared := t.shared(peer)
	if shared && user == "" {
		return nil, nil
	}
	f, err := t.open(false)
	if f == nil || err != nil {
		return nil, err
	}
	defer f.close()
	now, err := now()
	if err != nil || f.readHeader() != nil { // no header yet, or none any more: no penalty either
		return nil, err
	}
	o := f.origin(t.source(peer), shared, user)
	var b bucket
	if err := f.readBucket(f.home(o), &b); err != nil {
		return nil, err
	}
	s, i := f.find(&b, o, now, t.Max)
	if i < 0 || !s.active {
		return nil, nil
	}
	return s.penalty(now), nil
}

// Add adds a failure to the outstanding time of the user at a peer's address,
// and returns the result; nil if the source is exempt or the failure costs
// nothing. The user name is as for Check. While it is not known, a shared source
// is not charged: the failure may be anybody's there, and one client that does
// not speak the protocol would lock out all the others.
func (t *Table) Add(peer netip.Addr, user string, kind Kind) (*Penalty, error) {
	if kind >= kinds || t.Amount[kind] <= 0 || t.exempt(peer) {
		return nil, nil
	}
	shared := t.shared(peer)
	if shared && user == "" {
		return nil, nil
	}
	f, err := t.open(true)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if err := f.lock(); err != nil {
		return nil, err
	}
	if f.readHeader() != nil {
		if err := f.format(); err != nil {
			return nil, err
		}
	}
	now, err := now()
	if err != nil {
		return nil, err
	}
	o := f.origin(t.source(peer), shared, user)
	home := f.home(o)
	var b bucket
	if err := f.readBucket(home, &b); err != nil {
		return nil, err
	}
	s, i := f.find(&b, o, now, t.Max)
	if i < 0 {
		s, i = slot{origin: o, expiry: now}, f.victim(&b, o.source, now, t.Max)
	}
	s.kind = kind
	s.expiry = min(s.expiry+t.Amount[kind], now+t.Max)
	// Once active, it stays so until it has expired.
	s.active = s.active || s.expiry-now > t.Min
	if err := f.writeSlot(home, i, s); err != nil {
		return nil, err
	}
	return s.penalty(now), nil
}

// List returns every source, and every user behind a shared one, with time
// outstanding, refused or not, in no order.
func (t *Table) List() ([]Penalty, error) {
	f, err := t.open(false)
	if f == nil || err != nil {
		return nil, err
	}
	defer f.close()
	now, err := now()
	if err != nil || f.readHeader() != nil {
		return nil, err
	}
	var list []Penalty
	for home := range buckets {
		var b bucket
		if err := f.readBucket(home, &b); err != nil {
			return nil, err
		}
		for i := range ways {
			if s, ok := f.decode(b.slot(i)); ok && s.outstanding(now, t.Max) {
				list = append(list, *s.penalty(now))
			}
		}
	}
	return list, nil
}

// Clear forgets what the source of a peer's address has outstanding, with every
// user behind it, and reports whether there was something.
func (t *Table) Clear(peer netip.Addr) (found bool, err error) {
	f, err := t.open(false)
	if f == nil || err != nil {
		return false, err
	}
	defer f.close()
	if err := f.lock(); err != nil {
		return false, err
	}
	now, err := now()
	if err != nil || f.readHeader() != nil {
		return false, err
	}
	source := t.source(peer)
	own := f.home(origin{source: source})
	// Whether or not the address is a shared one now: it may have been.
	for home := sharedRegion; home < buckets; home++ {
		if err := f.clearBucket(home, source, now, t.Max, &found); err != nil {
			return found, err
		}
	}
	return found, f.clearBucket(own, source, now, t.Max, &found)
}

// clearBucket erases the source's slots of a bucket.
func (f *stateFile) clearBucket(home int, source netip.Prefix, now, max time.Duration, found *bool) error {
	var b bucket
	if err := f.readBucket(home, &b); err != nil {
		return err
	}
	changed := false
	for i := range ways {
		if s, ok := f.decode(b.slot(i)); ok && s.source == source {
			*found = *found || s.outstanding(now, max)
			clear(b.slot(i))
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return f.writeBucket(home, &b)
}

// ClearAll forgets every source.
func (t *Table) ClearAll() error {
	f, err := t.open(false)
	if f == nil || err != nil {
		return err
	}
	defer f.close()
	if err := f.lock(); err != nil {
		return err
	}
	return f.format()
}
