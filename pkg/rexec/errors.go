package rexec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A RefusedError is the server's no: it answered, and will not run the
// command.
type RefusedError struct {
	// Text is what the server said, without status byte and line end. It is
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

// isMessageNumber tells an AIX message number: four digits, a hyphen, three
// digits ("0826-604"), possibly with a colon behind it.
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

// A DialError says that no connection came about: the primary one, or the
// stderr connection that the server should have made. No command was run.
type DialError struct {
	Addr   string // where to, "host:port"; for the stderr connection the address listened on
	Stderr bool   // the stderr connection
	Err    error
}

func (e *DialError) Error() string {
	if e.Stderr {
		return fmt.Sprintf("accept stderr connection on %s: %v", e.Addr, e.Err)
	}
	return fmt.Sprintf("connect to %s: %v", e.Addr, e.Err)
}

func (e *DialError) Unwrap() error { return e.Err }

// A ProtocolError says that the peer does not keep to the protocol of
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
	errNotInTime  = errors.New("the server did not connect in time")
)

// Printable makes remote text fit for a terminal: lines are joined, whatever
// is not a printable character becomes an escape as in Go's syntax, and the
// rest stays as it is.
func Printable(text string) string {
	quoted := strconv.Quote(strings.ReplaceAll(text, "\n", "; "))
	quoted = quoted[1 : len(quoted)-1]
	return strings.ReplaceAll(strings.ReplaceAll(quoted, `\"`, `"`), `\\`, `\`)
}
