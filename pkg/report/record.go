// Package report reads the server's records, from journalctl or from lines of
// syslog, and adds them up: who uses the service, from where, for what, and
// who fails to.
//
// It streams: what it keeps is bounded, however long the log is and whatever
// names peers made up. What it cannot keep it counts.
package report

import (
	"net/netip"
	"strings"
	"time"
)

// A kind is a decision of the server, as in.rexecd(8), AUDIT, lists them.
type kind uint8

const (
	other kind = iota // no decision: a trace, a supervisor's message
	accepted
	failed
	refused
	closed
	protocolError
	configError
	internalError
	penalised
)

// outcomes are the values of REXEC_OUTCOME.
var outcomes = map[string]kind{
	"accepted": accepted, "failed": failed, "refused": refused, "closed": closed,
	"protocol-error": protocolError, "configuration-error": configError,
	"internal-error": internalError, "penalised": penalised,
}

// A record is one decision. What its log does not say is zero.
type record struct {
	at      time.Time
	kind    kind
	user    string // as the peer sent it
	account string // the account's own name, where it is known
	peer    netip.Addr
	command string
	ran     time.Duration
	timed   bool // ran is known
	cpu     time.Duration
	peak    int64 // bytes
	times   int   // how often syslogd saw it; 0 is once
}

// name is whom the record is about: the account, else what the peer typed.
func (r *record) name() string {
	if r.account != "" {
		return r.account
	}
	return r.user
}

const (
	maxNameText    = 256 // bytes; the server logs no more of a name
	maxCommandText = 160
	maxZone        = 15 // an interface's name
)

// bound cuts the record's texts and copies them: as parts of a line, which may have
// a megabyte, they would keep all of it.
func (r *record) bound() {
	r.user = strings.Clone(r.user[:min(len(r.user), maxNameText)])
	r.account = strings.Clone(r.account[:min(len(r.account), maxNameText)])
	if len(r.command) > maxCommandText {
		r.command = r.command[:maxCommandText] + "…"
	}
	r.command = strings.Clone(r.command)
	if zone := r.peer.Zone(); len(zone) > maxZone {
		r.peer = r.peer.WithZone(zone[:maxZone])
	}
}

// A Filter chooses records. Zero fields choose all.
type Filter struct {
	Since time.Time    // not before
	Until time.Time    // before
	User  string       // as sent, or the account's name
	From  netip.Prefix // the peer's network
}

// before is the beginning of the span before Since that is as long as the one
// after it; zero without Since.
func (f *Filter) before(now time.Time) time.Time {
	if f.Since.IsZero() {
		return time.Time{}
	}
	end := f.Until
	if end.IsZero() || end.After(now) {
		end = now
	}
	if begin := f.Since.Add(-end.Sub(f.Since)); begin.Unix() > 0 {
		return begin
	}
	return time.Unix(0, 0) // journalctl knows no earlier time
}

// matches reports whether the record is about the chosen user and network. The zone
// of a link-local address is in no network, as in the settings.
func (f *Filter) matches(r *record) bool {
	if f.User != "" && f.User != r.user && f.User != r.account {
		return false
	}
	return !f.From.IsValid() || f.From.Contains(r.peer.WithZone(""))
}
