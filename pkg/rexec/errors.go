package rexec

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// A RefusedError is the server's no: it answered, and will not run the
// command.
type RefusedError struct {
	// Text is what the server sent, without status byte and line end. It is
	// empty when the server closed the connection without a word, as
	// Debian's netkit does when PAM refuses.
	Text string
}

func (e *RefusedError) Error() string {
	if e.Text == "" {
		return "refused: the server closed the connection without a word"
	}
	return "refused: " + Printable(e.Reason())
}

// Reason is Text without a vendor's prefix, so that one comparison serves for
// all: HP-UX begins its lines with "rexecd: ", AIX with a message number as
// in "0826-604 ".
func (e *RefusedError) Reason() string {
	text := strings.TrimSpace(e.Text)
	if name, rest, ok := strings.Cut(text, ": "); ok && (name == "rexecd" || name == "in.rexecd") {
		text = strings.TrimSpace(rest)
	}
	number, rest, ok := strings.Cut(text, " ")
	if ok && isMessageNumber(number) {
		text = strings.TrimSpace(rest)
	}
	return text
}

// aboutStderr reports whether the refusal is that there is no way to the stderr
// port, or does not go there.
func (e *RefusedError) aboutStderr() bool {
	return strings.Contains(strings.ToLower(e.Text), "stderr") || e.CannotConnect()
}

// CannotConnect reports whether the server could not connect to
// the stderr port.
func (e *RefusedError) CannotConnect() bool {
	text := strings.ToLower(e.Text)
	for _, words := range []string{"cannot connect", "can't connect", "connect:", "connect failed", "unreachable", "no route", "timed out"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// isMessageNumber reports whether word is an AIX message number: four digits, a
// hyphen, three digits ("0826-604"), possibly followed by a colon.
func isMessageNumber(word string) bool {
	word = strings.TrimSuffix(word, ":")
	if len(word) != 8 || word[4] != '-' {
		return false
	}
	for i := range len(word) {
		if i != 4 && (word[i] < '0' || word[i] > '9') {
			return false
		}
	}
	return true
}

// A DialError is a connection that did not come about: the primary one, or the
// stderr connection that the server should have made. No command was run.
type DialError struct {
	Addr   string // where to, "host:port"; for the stderr connection the address listened on
	Port   int    // of the primary connection; 0: the host was not even found
	Stderr bool   // the stderr connection
	Err    error

	// Strangers connected to the stderr port and were hung up on: their
	// addresses are neither the server's nor in Client.StderrFrom. One of them
	// may be the server under another address.
	Strangers []netip.Addr
}

func (e *DialError) Error() string {
	switch {
	case len(e.Strangers) > 0:
		return fmt.Sprintf("accept stderr connection on %s: it came from %v, which is not the server's address: %s", e.Addr, e.Strangers, Cause(e.Err))
	case e.Stderr:
		return fmt.Sprintf("accept stderr connection on %s: %s", e.Addr, Cause(e.Err))
	}
	return fmt.Sprintf("connect to %s: %s", e.Addr, Cause(e.Err))
}

// Cause is the system's error of a failed connection, without the calls and
// addresses that package net puts before it.
func Cause(err error) string {
	var number syscall.Errno
	var name *net.DNSError
	var tried triedAddresses
	var dial *DialError
	var handshake *TLSError
	switch {
	case errors.As(err, &dial):
		return Cause(dial.Err)
	case errors.As(err, &handshake):
		return handshake.Error()
	case errors.As(err, &tried):
		return tried.Error()
	case errors.As(err, &name):
		return name.Err
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &number):
		return number.Error()
	}
	return err.Error()
}

// triedAddresses are all addresses of a host and why each did not do.
type triedAddresses []triedAddress

type triedAddress struct {
	addr netip.Addr
	err  error
}

func (t triedAddresses) Error() string {
	same := true
	var all []string
	for _, one := range t {
		cause := Cause(one.err)
		same = same && cause == Cause(t[0].err)
		all = append(all, fmt.Sprintf("%s (%v)", cause, one.addr))
	}
	if same {
		return Cause(t[0].err)
	}
	return strings.Join(all, ", ")
}

func (t triedAddresses) Unwrap() []error {
	var all []error
	for _, one := range t {
		all = append(all, one.err)
	}
	return all
}

func (e *DialError) Unwrap() error { return e.Err }

// A ProtocolError is a peer that does not follow the protocol of
// rexecd(8), or that the connection broke.
type ProtocolError struct {
	Doing string // what the client was doing, "read status byte"
	Err   error
}

func (e *ProtocolError) Error() string { return e.Doing + ": " + e.Err.Error() }

func (e *ProtocolError) Unwrap() error { return e.Err }

// Errors of Session.Signal and of misuse.
var (
	ErrNoStderr   = errors.New("no stderr connection to send a signal on")
	ErrNotStarted = errors.New("session not started")
	ErrStarted    = errors.New("session already started")
	ErrNotInTime  = errors.New("the server did not connect in time") // for stderr, in a DialError
)

// A BannerError is a server that began with something other than a status
// byte: it speaks another protocol, or sends no status byte.
type BannerError struct{ Line string }

func (e *BannerError) Error() string {
	return fmt.Sprintf("the server began with %.200q", e.Line)
}

// OtherProtocol reports whether the line is how servers of well-known other
// protocols begin.
func (e *BannerError) OtherProtocol() bool {
	for _, begin := range []string{"SSH-", "HTTP/", "220", "+OK", "* OK", "RFB ", "<!DOCTYPE", "<html", "\xff\xfb", "\xff\xfd"} {
		if strings.HasPrefix(e.Line, begin) {
			return true
		}
	}
	return false
}

// Printable makes remote text fit for a terminal: lines are joined, whatever
// is not a printable character becomes an escape as in Go's syntax, and the
// rest stays as it is.
func Printable(text string) string {
	quoted := strconv.Quote(strings.ReplaceAll(text, "\n", "; "))
	quoted = quoted[1 : len(quoted)-1]
	return strings.ReplaceAll(strings.ReplaceAll(quoted, `\"`, `"`), `\\`, `\`)
}
