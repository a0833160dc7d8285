package rexecd

import (
	"errors"
	"syscall"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/rexec/wire"
)

// Diagnostics of rexecd(8) that more than one step gives. Scanners and client
// libraries look for the first, word for word.
const (
	loginIncorrect = "Login incorrect."
	tryAgain       = "Try again."
)

// A refusal has two faces: the public line, which tells a peer no more than
// rexecd(8) allows, and the reason, which is for the log only.
type refusal struct {
	public   string // empty: nothing is said
	reason   error
	protocol bool // the peer did not speak the protocol
	noStderr bool // or did, but the stderr connection it wants cannot be had
}

func (e *refusal) Error() string { return e.reason.Error() }
func (e *refusal) Unwrap() error { return e.reason }

func refused(public string, reason error) error { return &refusal{public: public, reason: reason} }

// protocolError is a refusal of a peer that said something rexecd(8) does not know.
func protocolError(public string, reason error) error {
	return &refusal{public: public, reason: reason, protocol: true}
}

// withoutStderr is a refusal of a peer whose stderr connection cannot be had.
func withoutStderr(public string, reason error) error {
	return &refusal{public: public, reason: reason, protocol: true, noStderr: true}
}

// How long, and for how many bytes, a refused peer is listened to, so that the
// line it was sent is not lost to a reset.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

// refuse splits an error into its two faces: the log gets the one, the peer the
// other.
func (r *request) refuse(err error) {
	said := &refusal{public: tryAgain, reason: err}
	errors.As(err, &said)
	var over *graceOver
	if errors.As(err, &over) {
		said = &refusal{reason: over, protocol: true} // wherever it was noticed: without a word
	}
	offence, penalised := r.offence(said)
	r.log(audit.Event{Kind: r.kindOf(said), Reason: said.reason})
	if said.public == loginIncorrect && !r.hold() {
		said.public = ""
	}
	if penalised { // after the hold: other connections of the peer see when it begins
		r.penalise(offence)
	}
	if r.stderr != nil {
		r.stderr.Close()
	}
	Refuse(r.conn, said.public)
}

// kindOf is what the log calls a refusal.
func (r *request) kindOf(said *refusal) audit.Kind {
	switch {
	case said.public == tryAgain && errors.As(said.reason, new(waiting)):
		return audit.Penalised
	case said.protocol:
		return audit.ProtocolError
	case r.proven:
		return audit.Refused
	case said.public == tryAgain: // a fault of this host's, no attempt to be counted
		return audit.InternalError
	}
	return audit.Failed
}

// Refuse sends a peer one line of diagnostics, unless it is empty, and closes
// the connection: in order when something was said.
func Refuse(conn *inetd.Conn, public string) {
	defer conn.Close()
	if public == "" {
		return
	}
	// In one write: clients read the status byte and the line as they come.
	line := append([]byte{wire.StatusError}, public+"\n"...)
	if _, err := conn.Write(line); err == nil {
		conn.Linger(lingerTime, lingerBytes)
	}
}

// log writes a record with what is known of the request.
func (r *request) log(e audit.Event) {
	e.Peer = r.conn.Peer
	if r.Request != nil {
		e.User, e.Invalid = r.User, r.invalid
		if r.LogCommand {
			e.Command = r.Command
		}
	}
	r.Log.Write(e)
}

// cause is the system's own error at the bottom of err.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
