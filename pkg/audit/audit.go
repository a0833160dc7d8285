// Package audit writes one record for every decision: to journald with native
// fields, else to syslog (authpriv), and to a console instead where the
// administrator watches.
//
// The messages are read by programs (fail2ban, log monitors): changing one is a
// break of compatibility. What a peer sent is quoted, so that no name can look
// like another line or another field.
package audit

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Identifier is the name in front of the messages: journalctl -t in.rexecd.
const Identifier = "in.rexecd"

// A Kind is a decision.
type Kind int

// The kinds of records.
const (
	Accepted      Kind = iota // the password was right and the account may come in
	Failed                    // the password was not proven
	Refused                   // it was, and still there is no command
	Closed                    // the command has ended
	ProtocolError             // the peer did not speak the protocol to its end
	ConfigError               // the server cannot serve: settings, flags
	InternalError             // a fault of the server's own
	Penalised                 // the peer's source has to wait for earlier failures
)

// kinds holds the MESSAGE_ID (journalctl MESSAGE_ID=…), REXEC_OUTCOME and
// syslog(3) severity of each kind. The ids never change.
var kinds = [...]struct {
	id, outcome string
	severity    int
}{
	Accepted:      {"030124d2092d448d9a4626599566fc0c", "accepted", 6},
	Failed:        {"d6f63a33e20f4da0912532921cb6837f", "failed", 5},
	Refused:       {"58e71f4d71b64c6188b2fadee11950be", "refused", 5},
	Closed:        {"e724c7acb5154107959fd97a9db1e01b", "closed", 6},
	ProtocolError: {"dda6263314d447fa8bb63eef0b324b72", "protocol-error", 5},
	InternalError: {"66f882cf7255465fae4740211dbeff93", "internal-error", 2},
	ConfigError:   {"3988d1218e8c4856be401a93c9adcf9e", "configuration-error", 3},
	Penalised:     {"c984e35d1d954270b0d4067313c3dcc5", "penalised", 6},
}

// An Event is one record. Fields that do not belong to its kind stay zero.
type Event struct {
	Kind    Kind
	User    string // as the peer sent it
	Invalid bool   // there is no such account
	Peer    netip.AddrPort
	Reason  error
	Command string // only where the administrator wants it logged

	Exit     int            // exit status of the command
	Signal   syscall.Signal // or what killed it
	Duration time.Duration

	unit string
}

// Message is the record as one line, shaped like sshd's.
func (e *Event) Message() string {
	from := ""
	if e.Peer.IsValid() {
		from = " from " + e.Peer.Addr().String() + " port " + strconv.Itoa(int(e.Peer.Port()))
	}
	user := Quote(e.User)
	switch e.Kind {
	case Accepted:
		s := "Accepted password for " + user + from
		if e.Command != "" {
			s += ": command " + quoteCommand(e.Command)
		}
		return s
	case Failed:
		if e.Invalid {
			user = "invalid user " + user
		}
		return "Failed password for " + user + from + e.because()
	case Refused:
		return "Refused " + user + from + e.because()
	case Closed:
		return "Session closed for " + user + from + ": " + e.status() + " after " + seconds(e.Duration) + e.because()
	case ProtocolError:
		return "Protocol error" + from + e.because()
	case Penalised:
		return "Refused connection" + from + e.because()
	}
	if e.Kind == InternalError {
		return "Internal error" + from + e.because()
	}
	return "Configuration error" + e.because()
}

func (e *Event) because() string {
	if e.Reason == nil {
		return ""
	}
	return ": " + oneLine(e.Reason.Error())
}

func (e *Event) status() string {
	switch {
	case e.Signal != 0:
		return fmt.Sprintf("killed by signal %d (%s)", int(e.Signal), strings.TrimPrefix(signalName(e.Signal), "SIG"))
	case e.Exit < 0:
		return "command still running"
	}
	return "exit status " + strconv.Itoa(e.Exit)
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
}

// Quote writes a user name as it stands where it could not be anything else,
// and in Go's quotes otherwise.
func Quote(s string) string {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("._@$+", c) >= 0, c == '-' && i > 0:
		default:
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

// quoteCommand quotes a command, the end of a long one left out: syslog servers
// cut lines at some kilobytes. REXEC_COMMAND in the journal has all of it.
func quoteCommand(s string) string {
	const most = 1024
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
}

// oneLine keeps a reason on its line: an error text may come from a file or a
// PAM module.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// A field is one of a record in the journal.
type field struct{ name, value string }

// fields are the record's own.
func (e *Event) fields() []field {
	k := kinds[e.Kind]
	f := append(common(e.unit), field{"MESSAGE_ID", k.id}, field{"REXEC_OUTCOME", k.outcome})
	if e.User != "" {
		f = append(f, field{"REXEC_USER", e.User})
	}
	if e.Peer.IsValid() {
		f = append(f, field{"REXEC_PEER", e.Peer.Addr().String()}, field{"REXEC_PEER_PORT", strconv.Itoa(int(e.Peer.Port()))})
	}
	if e.Reason != nil {
		f = append(f, field{"REXEC_REASON", e.Reason.Error()})
	}
	if e.Command != "" {
		f = append(f, field{"REXEC_COMMAND", e.Command})
	}
	if e.Kind == Closed {
		f = append(f, field{"REXEC_STATUS", strings.TrimPrefix(e.status(), "exit status ")},
			field{"REXEC_DURATION_USEC", strconv.FormatInt(e.Duration.Microseconds(), 10)})
	}
	return f
}

// common are the fields of whatever this process logs.
func common(unit string) []field {
	f := append(make([]field, 0, 16), field{"SYSLOG_IDENTIFIER", Identifier}, field{"SYSLOG_FACILITY", "10"})
	if unit != "" {
		// journalctl -u finds records by it. Where pam_systemd has moved this process
		// into the session's scope, _SYSTEMD_UNIT is that one.
		f = append(f, field{"OBJECT_SYSTEMD_UNIT", unit})
	}
	return f
}

// A Log is where records go.
type Log struct {
	// Console, if set, gets the lines instead of the system's log.
	Console io.Writer
	// Unit is the systemd unit that this process was started in, if any.
	Unit string

	deaf bool // the system's log did not take a record in time
}

// Write writes one record. It never fails and never waits long: a log that
// hangs must not become a server that hangs.
func (l *Log) Write(e Event) {
	e.unit = l.Unit
	if l.Console != nil {
		if _, err := fmt.Fprintf(l.Console, "%s %s\n", time.Now().Format("15:04:05.000"), e.Message()); err == nil {
			return // else nobody reads there any more
		}
	}
	if !l.deaf {
		l.deaf = !send(&e)
	}
}
