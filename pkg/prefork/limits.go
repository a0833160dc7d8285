package prefork

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Verdicts of the supervisor on a connection.
const (
	serve  = 'y'
	refuse = 'n' // in order: a handler reads the stderr port, dials it and takes leave
	drop   = 'd' // at once, without a word: no handler is spent on it
)

// leave asks a handler that waits to end.
const leave = 'l'

// ready is what a handler reports when it begins to wait. Its other report is the
// source of its connection.
const ready = "ready"

// manyRefused bounds the connections that are refused in order at once, each by a
// process of about a megabyte. Without it a source would get by refusals what
// PerSource denies it, this host's processes; 64 are more than a client opens by
// mistake. A peer that keeps every step waiting occupies such a process for about
// ten seconds: until it has sent a stderr port, until that is dialled, and until
// it has read the refusal. That is six refusals a second and never more processes.
// A smaller Max, that of a smaller host, is the bound here as well: refusals at
// most double its processes.
const manyRefused = 64

func (s *Supervisor) mostRefused() int {
	if s.Max > 0 {
		return min(manyRefused, s.Max)
	}
	return manyRefused
}

// mostRefusedOf is the share of one source: while it floods this host with
// connections, others that exceed PerSource still learn why they are refused.
func (s *Supervisor) mostRefusedOf() int { return (s.mostRefused() + 1) / 2 }

// judge decides on a connection from a source.
func (s *Supervisor) judge(from netip.Prefix) (verdict byte) {
	if s.PerSource == 0 || s.sessions(from) < s.PerSource {
		return serve
	}
	left, leftOf := s.mostRefused()-s.refused(), s.mostRefusedOf()-s.refusedOf(from)
	if left <= 0 || leftOf <= 0 {
		return drop // not logged: its rate is the peer's choice
	}
	s.logf("refused a connection from %v: %d sessions at once are its limit", from, s.PerSource)
	const further = "until one of them has ended, further ones are closed without a word"
	switch {
	case left == 1:
		s.logf("%d connections are being refused: %s", s.mostRefused(), further)
	case leftOf == 1:
		s.logf("%d connections from %v are being refused: %s", s.mostRefusedOf(), from, further)
	}
	return refuse
}

// assign records the connection that a handler serves or refuses.
func (h *handler) assign(from netip.Prefix, verdict byte) {
	h.busy, h.source, h.refused, h.due = true, from, verdict == refuse, time.Time{}
	h.closeControl() // the verdict stays readable; neither side has anything to add
}

// hasCapacity reports whether one more process would stay within Max. Waiting
// handlers count; those that refuse a connection serve no session and do not.
func (s *Supervisor) hasCapacity() bool {
	return s.Max == 0 || len(s.handlers)-s.refused() < s.Max
}

// sessions is how many connections of a source are served.
func (s *Supervisor) sessions(of netip.Prefix) int {
	return s.count(func(h *handler) bool { return h.busy && !h.refused && h.source == of })
}

func (s *Supervisor) refused() int {
	return s.count(func(h *handler) bool { return h.refused })
}

func (s *Supervisor) refusedOf(source netip.Prefix) int {
	return s.count(func(h *handler) bool { return h.refused && h.source == source })
}

func (s *Supervisor) idle() int {
	return s.count(func(h *handler) bool { return !h.busy && !h.retired })
}

func (s *Supervisor) count(is func(*handler) bool) int {
	n := 0
	for _, h := range s.handlers {
		if is(h) {
			n++
		}
	}
	return n
}

// source is what PerSource counts: an IPv4 address, or an IPv6 network of 64
// bits, which is what one customer gets. A link-local address is a neighbour of
// its own, as package penalty has it: one must not use up the others' sessions.
func source(sa unix.Sockaddr) netip.Prefix {
	var addr netip.Addr
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		addr = netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		addr = netip.AddrFrom16(sa.Addr).Unmap()
	}
	bits := addr.BitLen()
	if addr.Is6() && !addr.IsLinkLocalUnicast() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}
