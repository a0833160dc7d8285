// Package penalty makes sources of failed logins wait, as OpenSSH's
// PerSourcePenalties does, but without a daemon: what is known of a source
// lies in one small file under /run, and every connection's own process reads
// it before it reads anything else.
//
// A penalty is time. Each failure adds some; the time runs off by itself. A
// source whose outstanding time exceeds a minimum is refused until all of it
// has run off.
package penalty

import (
	"fmt"
	"net/netip"
	"time"
)

// A Kind is what a source did.
type Kind uint8

// The kinds; the names are those of the settings.
const (
	AuthFail      Kind = iota // the password was not proven
	NoAuth                    // the connection ended before the request did
	GraceExceeded             // the grace time was over before the command ran
	Protocol                  // what was sent is not the protocol
	kinds
)

func (k Kind) String() string {
	if k >= kinds {
		return "unknown"
	}
	return [...]string{"authfail", "noauth", "grace_exceeded", "protocol"}[k]
}

// A Table says how sources are penalised and where that is kept.
type Table struct {
	Dir    string               // folder of the state, made when the first penalty is given
	Amount [kinds]time.Duration // of one failure, by Kind; zero: none
	Min    time.Duration        // outstanding time from which a source is refused
	Max    time.Duration        // outstanding time never exceeds this
	Exempt []netip.Prefix       // sources that are never penalised
	Bits4  int                  // how many bits of an IPv4 address are the source
	Bits6  int                  // and of an IPv6 address
}

// Default is what holds without settings: the amounts of OpenSSH 9.9. Its
// penalty for a server process that crashed has no counterpart; sending what is
// not the protocol, the nearest thing, costs as much as OpenSSH's
// refuseconnection.
//
// A source is one IPv4 address, or one IPv6 network of 64 bits, whose owner has
// all of its addresses.
func Default() *Table {
	return &Table{
		Dir:    "/run/in.rexecd",
		Amount: [kinds]time.Duration{AuthFail: 5 * time.Second, NoAuth: time.Second, GraceExceeded: 10 * time.Second, Protocol: 10 * time.Second},
		Min:    15 * time.Second,
		Max:    10 * time.Minute,
		Bits4:  32,
		Bits6:  64,
	}
}

// A Penalty is what one source has outstanding.
type Penalty struct {
	Source netip.Prefix
	Last   Kind          // its latest failure
	Left   time.Duration // until all of it has run off
	Active bool          // the minimum was exceeded: the source is refused
}

func (p *Penalty) String() string {
	return fmt.Sprintf("penalty of %v for %v, %v left", p.Source, p.Last, p.Left.Round(time.Second))
}

// Check returns the active penalty of a peer's source, nil if there is none.
// It waits for no lock.
func (t *Table) Check(peer netip.Addr) (*Penalty, error) {
	if t.exempt(peer) {
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
	source := t.source(peer)
	var b bucket
	if err := f.readBucket(f.home(source), &b); err != nil {
		return nil, err
	}
	s, i := f.find(&b, source, now, t.Max)
	if i < 0 || !s.active {
		return nil, nil
	}
	return s.penalty(now), nil
}

// Add adds a failure to what the peer's source has outstanding, and returns the
// result; nil for a source that is exempt or a failure that costs nothing.
func (t *Table) Add(peer netip.Addr, kind Kind) (*Penalty, error) {
	if kind >= kinds || t.Amount[kind] <= 0 || t.exempt(peer) {
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
	source := t.source(peer)
	home := f.home(source)
	var b bucket
	if err := f.readBucket(home, &b); err != nil {
		return nil, err
	}
	s, i := f.find(&b, source, now, t.Max)
	if i < 0 {
		s, i = slot{source: source, expiry: now}, f.victim(&b, now, t.Max)
	}
	s.kind = kind
	s.expiry = min(s.expiry+t.Amount[kind], now+t.Max)
	// Once active, it stays so until it has run off.
	s.active = s.active || s.expiry-now > t.Min
	if err := f.writeSlot(home, i, s); err != nil {
		return nil, err
	}
	return s.penalty(now), nil
}

// List returns every source with time outstanding, refused or not, in no order.
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

// Clear forgets what the source of a peer's address has outstanding, and tells
// whether there was something.
func (t *Table) Clear(peer netip.Addr) (bool, error) {
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
	home := f.home(source)
	var b bucket
	if err := f.readBucket(home, &b); err != nil {
		return false, err
	}
	if _, i := f.find(&b, source, now, t.Max); i >= 0 {
		return true, f.eraseSlot(home, i)
	}
	return false, nil
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

// source is the network that a peer answers for. An IPv4 peer of an IPv6 socket
// is an IPv4 peer. Of the loopback any user of this host has every address, so
// that all of it is one source; link-local addresses are each their own, or one
// host of a link could lock its neighbours out.
func (t *Table) source(peer netip.Addr) netip.Prefix {
	peer = peer.Unmap().WithZone("")
	bits := t.Bits6
	switch {
	case peer.Is4() && peer.IsLoopback():
		bits = 8
	case peer.Is4():
		bits = t.Bits4
	case peer.IsLoopback(), peer.IsLinkLocalUnicast():
		bits = 128
	}
	source, err := peer.Prefix(bits)
	if err != nil {
		return netip.PrefixFrom(peer, peer.BitLen())
	}
	return source
}

func (t *Table) exempt(peer netip.Addr) bool {
	peer = peer.Unmap().WithZone("")
	if !peer.IsValid() {
		return true
	}
	for _, p := range t.Exempt {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}
