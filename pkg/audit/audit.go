// Package audit writes one record for every decision: to journald with native
// fields, otherwise to syslog (authpriv), or to a console instead where an
// administrator watches.
//
// Programs read the messages (fail2ban, log monitors): changing one is a break
// of compatibility. What a peer sent is quoted, so that no name can look like
// another line or another field, and every part of a record is bounded.
package audit

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// identifier is the name in front of the messages where a Log has none: journalctl -t in.rexecd.
const identifier = "in.rexecd"

// A Kind is a decision.
type Kind int

// The kinds of records.
const (
	Accepted      Kind = iota // the password was right and the account may come in
	Failed                    // the password was not right
	Refused                   // it was, and still there is no command
	Closed                    // the command has ended
	ProtocolError             // the peer did not speak the protocol to its end
	ConfigError               // the server cannot serve: settings, flags
	InternalError             // a fault of the server's own
	Penalised                 // the peer's source has to wait for earlier failures
	Trace                     // a step of the protocol; no decision
)

// kinds lists the MESSAGE_ID (journalctl MESSAGE_ID=…), REXEC_OUTCOME and
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
	Trace:         {"8aee7bc93614b10395d76d6cbe0e0017", "trace", 6},
}

// An Event is one record. Fields that do not belong to its kind stay zero.
type Event struct {
	Kind    Kind
	User    string // as the peer sent it
	Account string // the account's own name, where there is an account
	Invalid bool   // there is no such account
	Guest   bool   // let in without a password
	Client  string // the user at the peer's, as the peer says; rsh alone has it
	Trusted bool   // not by a password, but because the account trusts Client and Peer
	Peer    netip.AddrPort
	Proxy   netip.Addr // that the peer came through, if any
	Reason  error
	Command string // only where the administrator wants it logged; see bounds
	Rule    string // the name of the rule that allowed the session
	// Certificate is the name in the client's certificate, if it has shown one.
	Certificate string

	Exit     int            // exit status of the command; -1 while it is running
	Signal   syscall.Signal // or what killed it
	Unknown  bool           // or neither could be found out
	Duration time.Duration  // of the command, or until the step
	CPU      time.Duration  // user and system time of the command
	Peak     int64          // peak memory of the command in bytes; without both, what it used is not known

	Session string // ties the records of one connection together

	program, unit string
	pid           int // 0: this process
}

// Message is the record as one line, shaped like sshd's. The name in the place
// that programs look at is the peer's; an account of another spelling follows
// the port, where they expect free text.
func (e *Event) Message() string {
	from := ""
	if e.Peer.IsValid() {
		from = " from " + e.Peer.Addr().String() + " port " + strconv.Itoa(int(e.Peer.Port()))
	}
	if e.Client != "" {
		from += " as " + quote(e.Client)
	}
	user := quote(e.User)
	if e.Account != "" && e.Account != e.User {
		from += ": account " + quote(e.Account)
	}
	switch e.Kind {
	case Accepted:
		s := "Accepted " + e.method() + " for " + user + from
		if e.Certificate != "" {
			s += ": certificate " + strconv.Quote(e.Certificate)
		}
		if e.Rule != "" {
			s += ": rule " + strconv.Quote(e.Rule)
		}
		if e.Command != "" {
			s += ": command " + quoteCommand(e.Command)
		}
		return s
	case Failed:
		if e.Invalid {
			user = "invalid user " + user
		}
		return "Failed " + e.method() + " for " + user + from + e.because()
	case Refused:
		if user == "connection" { // as a bare word it is of no user: see Penalised
			user = strconv.Quote(user)
		}
		return "Refused " + user + from + e.because()
	case Closed:
		return "Session closed for " + user + from + ": " + e.status() + " after " + seconds(e.Duration) + e.used() + e.because()
	case ProtocolError:
		return "Protocol error" + from + e.because()
	case Penalised:
		return "Refused connection" + from + e.because()
	case Trace:
		return "Trace" + from + ": " + strconv.FormatFloat(e.Duration.Seconds(), 'f', 3, 64) + "s" + e.because()
	}
	if e.Kind == InternalError {
		return "Internal error" + from + e.because()
	}
	return "Configuration error" + e.because()
}

// method is how the user was, or was not, authenticated, in sshd's words.
func (e *Event) method() string {
	switch {
	case e.Guest:
		return "none"
	case e.Trusted:
		return "rhosts"
	}
	return "password"
}

// Bounds of what a record takes from elsewhere, in bytes. Names are longer in no
// account, and the command's is the protocol's own. A reason may contain the text of
// a PAM module, of a file, or the stack of a crash.
const (
	maxName    = 256
	maxReason  = 8 << 10
	maxCommand = 131071
)

// bound cuts the record to its bounds. The command is part of it only once the
// user has authenticated: before, anybody could fill the disk with commands.
func (e *Event) bound() {
	e.User, e.Account, e.Client = cut(e.User, maxName), cut(e.Account, maxName), cut(e.Client, maxName)
	if e.Reason != nil {
		if text := e.Reason.Error(); len(text) > maxReason {
			e.Reason = errors.New(cut(text, maxReason) + "...")
		}
	}
	switch e.Kind {
	case Accepted, Refused, Closed:
		e.Command = cut(e.Command, maxCommand)
	default:
		e.Command = ""
	}
}

func cut(s string, most int) string { return s[:min(len(s), most)] }

func (e *Event) because() string {
	if e.Reason == nil {
		return ""
	}
	return ": " + oneLine(e.Reason.Error())
}

func (e *Event) status() string {
	switch {
	case e.Unknown:
		return "exit status unknown"
	case e.Signal != 0:
		return fmt.Sprintf("killed by signal %d (%s)", int(e.Signal), strings.TrimPrefix(signalName(e.Signal), "SIG"))
	case e.Exit < 0:
		return "command still running"
	}
	return "exit status " + strconv.Itoa(e.Exit)
}

// used is what the command used, as far as it is known.
func (e *Event) used() (s string) {
	if e.CPU > 0 || e.Peak > 0 { // a short command has none, where the kernel counts ticks
		s = ", cpu " + seconds(e.CPU)
	}
	if e.Peak > 0 {
		s += fmt.Sprintf(", %d MB", (e.Peak+999_999)/1_000_000) // never 0 MB
	}
	return s
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
}

// quote returns a user name unchanged if it cannot be mistaken for anything
// else, and in Go's quotes otherwise.
func quote(s string) string {
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

// quoteCommand quotes a command, without the end of a long one: syslog servers
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

// A Log is where records go.
type Log struct {
	// Name is the program's, in front of the messages.
	Name string
	// Console, if set, gets the lines instead of the system's log.
	Console io.Writer
	// Stderr, if set, is a descriptor that gets the lines on a host without a system
	// log, a container for example. It must not be the peer.
	Stderr int
	// Unit is the systemd unit that this process was started in, if any.
	Unit string
	// PID is the process that the records are about; 0: this one.
	PID int

	system systemLog
	deaf   bool // the system's log did not take a record in time
}

// Write writes one record, within the bounds above. It never fails and never
// waits long: a log that hangs must not become a server that hangs.
func (l *Log) Write(e Event) {
	e.program, e.unit, e.pid = l.Name, l.Unit, l.PID
	e.bound()
	if l.Console != nil {
		if _, err := fmt.Fprintf(l.Console, "%s %s\n", time.Now().Format("15:04:05.000"), e.Message()); err == nil {
			return // else nobody reads there any more
		}
	}
	if l.deaf {
		return
	}
	err := l.system.send(&e)
	l.deaf = err == unix.EAGAIN
	if err != nil && !l.deaf && l.Stderr != 0 {
		l.print(&e)
	}
}
