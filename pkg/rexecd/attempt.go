package rexecd

import (
	"errors"
	"fmt"
	"time"

	"net/netip"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/penalty"
)

// An attempt is what is known so far of one connection, for the log and for the
// penalties of its source.
type attempt struct {
	log       *audit.Log
	penalties *penalty.Table // nil: nobody is penalised
	peer      netip.AddrPort
	proxy     netip.Addr // that the peer came through, if any
	session   string     // a random name of this connection, in each of its records

	began time.Time
	asked time.Time // when the request was complete; zero before

	claimed       string // the user name as it was sent
	account       string // the account's own, once known
	invalid       bool   // no account has the claimed name
	traced        bool   // each step goes to the log
	guest         bool   // let in without a password
	client        string // rsh's: the user at the peer's
	trusted       bool   // rsh's: asks to be let in because of who that is
	authenticated bool
	command       string // empty unless it is to be logged
	certificate   string // the name in the client's
	rule          string // that allowed the session; empty without rules
}

// newAttempt begins the record of a connection.
func (s *Server) newAttempt(conn *inetd.Conn) *attempt {
	a := &attempt{log: s.Log, session: sessionID(), began: time.Now()}
	a.comesFrom(conn, s.Config.Trace)
	a.step("connection to %v", conn.Local)
	return a
}

// comesFrom notes whose connection it is.
func (a *attempt) comesFrom(conn *inetd.Conn, trace []netip.Prefix) {
	a.peer, a.proxy = conn.Peer, conn.Proxy
	a.traced = within(trace, conn.Peer.Addr())
}

// step notes a step of the protocol for the log, where the peer is one that is to be
// traced. No password is ever an argument.
func (a *attempt) step(format string, args ...any) {
	if a.traced {
		a.write(audit.Event{Kind: audit.Trace, Duration: time.Since(a.began), Reason: fmt.Errorf(format, args...)})
	}
}

// sessionID is 128 random bits: the number of a process, or of the peer's port, is
// soon another's.
func sessionID() string {
	var b [16]byte
	unix.Getrandom(b[:], 0)
	return fmt.Sprintf("%x", b)
}

// identified notes who the peer claims to be.
func (a *attempt) identified(id *identity) {
	a.claimed, a.invalid = id.claimed, id.invalid
	if id.account != nil {
		a.account = id.account.Name
	}
}

// write writes a record with what is known.
func (a *attempt) write(e audit.Event) {
	if e.Kind == unrecorded {
		return
	}
	e.Session, e.Peer, e.User, e.Account, e.Invalid = a.session, a.peer, a.claimed, a.account, a.invalid
	e.Guest, e.Client, e.Trusted, e.Proxy = a.guest, a.client, a.trusted, a.proxy
	if a.authenticated {
		// Not before: 130 kB of the log are not a stranger's for the asking.
		e.Command = a.command
	}
	e.Rule, e.Certificate = a.rule, a.certificate
	a.log.Write(e)
}

// checkSource returns a refusal if the peer's source has to wait. Of a source that
// many users share each is one, by the name as it was sent: the account's own would
// show which names are one account. It is asked
// when the connection comes, and again on both sides of the password's check: of
// many connections opened at once, those that come to it after the penalty began
// learn nothing by it.
func (a *attempt) checkSource() error {
	if a.penalties == nil {
		return nil
	}
	p, err := a.penalties.Check(a.peer.Addr(), a.claimed)
	switch {
	case err != nil:
		a.goOnWithoutPenalties(err)
	case p != nil:
		return penalised(errors.New(p.String()))
	}
	return nil
}

// charge adds an offence to what the peer's source has outstanding.
func (a *attempt) charge(offence penalty.Kind) {
	if a.penalties == nil || offence == noOffence {
		return
	}
	if _, err := a.penalties.Add(a.peer.Addr(), a.claimed, offence); err != nil {
		a.goOnWithoutPenalties(err)
	}
}

// goOnWithoutPenalties reports it once: a host that cannot keep them serves its users
// all the same.
func (a *attempt) goOnWithoutPenalties(err error) {
	a.penalties = nil
	a.write(audit.Event{Kind: audit.InternalError, Reason: fmt.Errorf("serve without penalties: %w", err)})
}
