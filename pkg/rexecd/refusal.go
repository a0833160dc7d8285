package rexecd

import (
	"errors"
	"fmt"
	"os"

	"rexecd/pkg/audit"
	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
)

// texts are the diagnostics of in.rexecd(8) that this package sends, each once;
// package wire has those about the length of fields. Nothing compares them: what
// a refusal means is in its other fields.
type texts struct {
	loginIncorrect, passwordExpired, accountExpired       string
	tryAgain, tooManyFailed, tooManyOpen                  string
	portNotPermitted, stderrNotPermitted, stderrUnreached string
	noHome, permissionDenied, noCommand                   string
	proxyExpected, proxyStderr, noHandshake               string
}

// Scanners take a line without "incorrect", "failed", "denied", "invalid" or
// "bad" for a successful login.
var diagnostics = texts{
	loginIncorrect:     "Login incorrect.",
	passwordExpired:    "Password expired.",
	accountExpired:     "Account expired.",
	tryAgain:           "Try again.",
	tooManyFailed:      "Too many failed logins, try again later.",
	tooManyOpen:        "Connection refused: too many failed or open logins, try again later.",
	portNotPermitted:   "stderr port %d is not permitted",
	stderrNotPermitted: "stderr connections are not permitted here",
	stderrUnreached:    "cannot connect to stderr port %d: %s",
	noHome:             "No remote directory.",
	permissionDenied:   "Permission denied.",
	noCommand:          "Permission denied: no command was sent, and rlogin is not served here.",
	proxyExpected:      "a PROXY header is expected from this address",
	proxyStderr:        "stderr connections are not made through the proxy: use one connection (rexec -a)",
	noHandshake:        "TLS handshake failed",
}

// A refusal is why there is no command: the public line, which tells a peer no
// more than in.rexecd(8) allows, the reason, which is for the log only, and all
// that follows from it.
type refusal struct {
	public  string // empty: nothing is sent
	reason  error
	kind    audit.Kind
	offence penalty.Kind // what the peer's source is charged with: by the public line, not by what happened
	delayed bool         // the answer's time reveals nothing either
}

func (r *refusal) Error() string { return r.reason.Error() }
func (r *refusal) Unwrap() error { return r.reason }

// noOffence costs nothing.
const noOffence = ^penalty.Kind(0)

// unrecorded is no decision about anybody.
const unrecorded = audit.Kind(-1)

// badLogin: nobody was authenticated.
func badLogin(reason error) error {
	return &refusal{diagnostics.loginIncorrect, reason, audit.Failed, penalty.AuthFail, true}
}

// closedAccount: the password was right, the account may not come in, and PAM
// gave no reason that the peer may know. So it looks like a wrong password, and
// costs as much: the penalty and fail2ban would reveal it otherwise.
func closedAccount(reason error) error {
	reason = fmt.Errorf("%w; answered as a failed login", reason)
	return &refusal{diagnostics.loginIncorrect, reason, audit.Refused, penalty.AuthFail, true}
}

// notAllowed: the password was right, and the user may learn why it is not
// enough.
func notAllowed(public string, reason error) error {
	return &refusal{public, reason, audit.Refused, noOffence, false}
}

// fault: this host has a fault or a shortage.
func fault(reason error) error {
	return &refusal{diagnostics.tryAgain, reason, audit.InternalError, noOffence, false}
}

// unavailable is a fault that an authenticated user meets.
func unavailable(reason error) error { return notAllowed(diagnostics.tryAgain, reason) }

// penalised: the source has to wait until earlier failures have run off. Asking
// does not make it wait longer.
func penalised(reason error) error {
	return &refusal{diagnostics.tooManyFailed, reason, audit.Penalised, noOffence, false}
}

// badProtocol: the peer sent what in.rexecd(8) does not know.
func badProtocol(public string, reason error) error {
	return &refusal{public, reason, audit.ProtocolError, penalty.Protocol, false}
}

// gone: the connection ended before the request did. A port scan, a client that
// gave up.
func gone(reason error) error {
	return &refusal{"", reason, audit.ProtocolError, penalty.NoAuth, false}
}

// byOptions: the peer is not known, so it is told nothing, and nobody is charged.
func byOptions() error {
	reason := errors.New("IP options, of which a source route makes the address worth nothing")
	return &refusal{"", reason, audit.ProtocolError, noOffence, false}
}

// withoutStderr: the peer spoke the protocol, but the stderr connection it asks for
// cannot be had. Its firewall, or the setting stderr.
func withoutStderr(public string, reason error) error {
	return &refusal{public, reason, audit.ProtocolError, penalty.NoAuth, false}
}

// healthCheck: a proxy looked whether this server accepts connections.
func healthCheck() error {
	return &refusal{"", errors.New("a proxy's health check"), unrecorded, noOffence, false}
}

// badProxy: what a proxy's connection begins with is no PROXY header. The proxy is
// not charged: that would be everybody behind it.
func badProxy(public string, reason error) error {
	return &refusal{public, reason, audit.ProtocolError, noOffence, false}
}

// tooLate: the grace time was over first.
func tooLate(reason error) error {
	return &refusal{"", reason, audit.ProtocolError, penalty.GraceExceeded, false}
}

// shellFailed: the status byte has been sent, and the user has the reason.
func shellFailed(reason error) error { return notAllowed("", reason) }

// Misconfigured is the refusal of every connection while the settings have a
// mistake.
func Misconfigured(reason error) error {
	return &refusal{diagnostics.tryAgain, reason, audit.ConfigError, noOffence, false}
}

// TooManySessions is the refusal of a connection that is one too many from its
// source.
func TooManySessions() error {
	return &refusal{diagnostics.tooManyOpen, errors.New("too many sessions from this source"), audit.Penalised, noOffence, false}
}

// accountRefusal is what an authenticated user may learn of PAM's refusal of the
// account.
func accountRefusal(err error) error { return pamRefusal(err, closedAccount) }

// sessionRefusal is the same of its no to a session.
func sessionRefusal(err error) error { return pamRefusal(err, unavailable) }

func pamRefusal(err error, otherwise func(error) error) error {
	var pamErr *login.Error
	if errors.As(err, &pamErr) {
		switch {
		case pamErr.PasswordExpired():
			return notAllowed(diagnostics.passwordExpired, err) // there is no terminal to change it on
		case pamErr.AccountExpired():
			return notAllowed(diagnostics.accountExpired, err)
		case pamErr.Message != "":
			return notAllowed(pamErr.Message, err)
		}
	}
	return otherwise(err)
}

// asRefusal is the refusal in err. The end of the grace time is one wherever it
// was noticed.
func asRefusal(err error) *refusal {
	var over *graceOver
	if errors.As(err, &over) {
		err = tooLate(over)
	}
	var r *refusal
	if !errors.As(err, &r) {
		errors.As(fault(err), &r)
	}
	return r
}

// readFailed is the refusal of a peer whose request could not be read.
func readFailed(grace *deadline, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return tooLate(fmt.Errorf("grace time of %v over: %w", grace.limit, err))
	}
	return gone(err)
}
