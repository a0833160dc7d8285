package rexecd

import (
	"errors"
	"fmt"
	"os"

	"rexecd/pkg/audit"
	"rexecd/pkg/penalty"
)

// A waiting is a peer whose source has to wait for earlier failures to be
// forgotten.
type waiting struct{ *penalty.Penalty }

func (e waiting) Error() string { return e.String() }

// admitted tells whether the peer's source may try: nil, or a waiting error.
// It is asked before the first read, and again on both sides of the password's
// check: of many connections opened at once, those that come to it after the
// penalty began, with the first answers, learn nothing by it.
func (r *request) admitted() error {
	if r.Penalties == nil {
		return nil
	}
	p, err := r.Penalties.Check(r.conn.Peer.Addr())
	switch {
	case err != nil:
		r.unpenalised(err)
	case p != nil:
		return waiting{p}
	}
	return nil
}

// penalise adds the failure to what the peer's source has outstanding.
func (r *request) penalise(kind penalty.Kind) {
	if r.Penalties == nil {
		return
	}
	if _, err := r.Penalties.Add(r.conn.Peer.Addr(), kind); err != nil {
		r.unpenalised(err)
	}
}

// unpenalised goes on without penalties, and says so once: a host that cannot
// keep them serves its users all the same.
func (r *request) unpenalised(err error) {
	r.Penalties = nil
	r.log(audit.Event{Kind: audit.InternalError, Reason: fmt.Errorf("serve without penalties: %w", err)})
}

// offence is what a refusal counts as. A user who proved the password has
// committed none, nor has one who meets a fault of the server's; a source that
// waits is not made to wait longer by asking, but by any guess that was checked, a
// right one too: how long it has to wait would tell.
func (r *request) offence(said *refusal) (kind penalty.Kind, ok bool) {
	switch {
	case said.public == tryAgain && errors.As(said.reason, new(waiting)), r.proven:
		return 0, false
	case said.protocol && errors.Is(said.reason, os.ErrDeadlineExceeded):
		return penalty.GraceExceeded, true
	case said.protocol && said.public != "" && !said.noStderr:
		return penalty.Protocol, true
	case said.protocol: // a port scan, a client that gave up, one behind a firewall or before the setting stderr
		return penalty.NoAuth, true
	case said.public == loginIncorrect:
		return penalty.AuthFail, true
	}
	return 0, false
}
