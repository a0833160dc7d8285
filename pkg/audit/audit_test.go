package audit

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

var (
	peer4  = netip.MustParseAddrPort("192.0.2.7:40112")
	peer6  = netip.MustParseAddrPort("[2001:db8::7]:40112")
	errWhy = errors.New("pam_authenticate: Authentication failure")
)

func TestMessagesKeepTheirShape(t *testing.T) {
	for _, tt := range []struct {
		event Event
		want  string
	}{
		{Event{Kind: Accepted, User: "alice", Peer: peer4}, "Accepted password for alice from 192.0.2.7 port 40112"},
		{Event{Kind: Accepted, User: "alice", Peer: peer6}, "Accepted password for alice from 2001:db8::7 port 40112"},
		{Event{Kind: Accepted, User: "alice", Peer: peer4, Command: "echo \"a\"\nb"}, `Accepted password for alice from 192.0.2.7 port 40112: command "echo \"a\"\nb"`},
		{Event{Kind: Failed, User: "alice", Peer: peer4, Reason: errWhy}, "Failed password for alice from 192.0.2.7 port 40112: pam_authenticate: Authentication failure"},
		{Event{Kind: Failed, User: "bob", Invalid: true, Peer: peer4, Reason: errWhy}, "Failed password for invalid user bob from 192.0.2.7 port 40112: pam_authenticate: Authentication failure"},
		{Event{Kind: Failed, User: "root", Peer: peer4, Reason: errors.New("root is not permitted")}, "Failed password for root from 192.0.2.7 port 40112: root is not permitted"},
		{Event{Kind: Refused, User: "alice", Peer: peer4, Reason: errors.New("nologin")}, "Refused alice from 192.0.2.7 port 40112: nologin"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Duration: 1349 * time.Millisecond}, "Session closed for alice from 192.0.2.7 port 40112: exit status 0 after 1.3s"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: 255, Duration: 26 * time.Hour}, "Session closed for alice from 192.0.2.7 port 40112: exit status 255 after 93600.0s"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: -1, Signal: syscall.SIGTERM}, "Session closed for alice from 192.0.2.7 port 40112: killed by signal 15 (TERM) after 0.0s"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: -1, Signal: syscall.SIGKILL}, "Session closed for alice from 192.0.2.7 port 40112: killed by signal 9 (KILL) after 0.0s"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: -1, Signal: 40}, "Session closed for alice from 192.0.2.7 port 40112: killed by signal 40 (unknown) after 0.0s"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: -1}, "Session closed for alice from 192.0.2.7 port 40112: command still running after 0.0s"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: 3, Reason: errors.New("close session: x")}, "Session closed for alice from 192.0.2.7 port 40112: exit status 3 after 0.0s: close session: x"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: -1, Unknown: true}, "Session closed for alice from 192.0.2.7 port 40112: exit status unknown after 0.0s"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Duration: 1349 * time.Millisecond,
			CPU: 912 * time.Millisecond, Peak: 33_554_432},
			"Session closed for alice from 192.0.2.7 port 40112: exit status 0 after 1.3s, cpu 0.9s, 34 MB"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, CPU: time.Microsecond, Reason: errors.New("close session: x")},
			"Session closed for alice from 192.0.2.7 port 40112: exit status 0 after 0.0s, cpu 0.0s: close session: x"},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Peak: 1}, "Session closed for alice from 192.0.2.7 port 40112: exit status 0 after 0.0s, cpu 0.0s, 1 MB"},
		{Event{Kind: Accepted, User: "alice", Account: "alice", Peer: peer4}, "Accepted password for alice from 192.0.2.7 port 40112"},
		{Event{Kind: Accepted, User: "ALICE", Account: "alice", Peer: peer4}, "Accepted password for ALICE from 192.0.2.7 port 40112: account alice"},
		{Event{Kind: Accepted, User: "ALICE", Account: "alice", Peer: peer4, Command: "id"}, `Accepted password for ALICE from 192.0.2.7 port 40112: account alice: command "id"`},
		{Event{Kind: Failed, User: "ALICE", Account: "alice", Peer: peer4, Reason: errWhy}, "Failed password for ALICE from 192.0.2.7 port 40112: account alice: pam_authenticate: Authentication failure"},
		{Event{Kind: Refused, User: "ALICE", Account: `EXAMPLE\alice`, Peer: peer4, Reason: errors.New("nologin")}, `Refused ALICE from 192.0.2.7 port 40112: account "EXAMPLE\\alice": nologin`},
		{Event{Kind: Accepted, User: "guest", Account: "slave1", Guest: true, Peer: peer4}, "Accepted none for guest from 192.0.2.7 port 40112: account slave1"},
		{Event{Kind: Closed, User: "ALICE", Account: "alice", Peer: peer4}, "Session closed for ALICE from 192.0.2.7 port 40112: account alice: exit status 0 after 0.0s"},
		{Event{Kind: ProtocolError, Peer: peer4, Reason: errors.New("username too long")}, "Protocol error from 192.0.2.7 port 40112: username too long"},
		{Event{Kind: ConfigError, Peer: peer4, Reason: errors.New("/etc/rexecd.toml:3: unknown setting")}, "Configuration error: /etc/rexecd.toml:3: unknown setting"},
		{Event{Kind: InternalError, Peer: peer4, Reason: errors.New("x")}, "Internal error from 192.0.2.7 port 40112: x"},
		{Event{Kind: InternalError, Reason: errors.New("x")}, "Internal error: x"},
		{Event{Kind: Trace, Peer: peer4, Duration: 1349 * time.Millisecond, Reason: errors.New("x\ny")}, "Trace from 192.0.2.7 port 40112: 1.349s: x?y"},
		{Event{Kind: Penalised, Peer: peer4, Reason: errors.New("x")}, "Refused connection from 192.0.2.7 port 40112: x"},
		{Event{Kind: Refused, User: "connection", Peer: peer4, Reason: errors.New("x")}, `Refused "connection" from 192.0.2.7 port 40112: x`},
		{Event{Kind: Failed, User: "connection", Peer: peer4, Reason: errors.New("x")}, "Failed password for connection from 192.0.2.7 port 40112: x"},
	} {
		if got := tt.event.Message(); got != tt.want {
			t.Errorf("Message of %+v =\n%s\nwant\n%s", tt.event, got, tt.want)
		}
	}
}

// hostile are names and texts that try to pass for something else.
var hostile = []string{
	"", " ", "-x", "a b", "alice from 1.2.3.4 port 22", "alice\nAccepted password for root from 1.2.3.4 port 22",
	"alice\rroot", "a\x00b", `"`, `'`, "\\", "a: b", "\x1b[2J", "\u202eecila", "a\u200bb", "caf\u00e9", "\xff\xfe", "\u2028", "\u0085",
	"root\" from 1.2.3.4", "x]: Accepted", "\t", "%s%n", strings.Repeat("a", 256), "invalid user bob",
}

func TestNamesStandBareOnlyWhereTheyCouldBeNothingElse(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"alice", "alice"}, {"Alice.B_c-d@example.org", "Alice.B_c-d@example.org"}, {"host$", "host$"}, {"a+b", "a+b"}, {"7", "7"},
		{"", `""`}, {"-x", `"-x"`}, {"a b", `"a b"`}, {"a\nb", `"a\nb"`}, {`a"b`, `"a\"b"`}, {"caf\u00e9", "\"caf\u00e9\""},
		{"\u202ea", `"\u202ea"`}, {"\xff", `"\xff"`}, {"a/b", `"a/b"`}, {"a:b", `"a:b"`}, {`DOM\u`, `"DOM\\u"`},
	} {
		if got := quote(tt.name); got != tt.want {
			t.Errorf("quote(%q) = %s; want %s", tt.name, got, tt.want)
		}
	}
}

// shape is what fail2ban's filter and its like rely on.
var shape = regexp.MustCompile(`^(?:Failed password for (?:invalid user )?|Accepted password for |Refused |Session closed for )(?:[A-Za-z0-9._@$+][A-Za-z0-9._@$+-]*|"(?:[^"\\\n]|\\.)*") from 192\.0\.2\.7 port 40112(?:: .*)?$`)

func TestHostileTextStaysInItsPlaceOnOneLine(t *testing.T) {
	for _, kind := range []Kind{Accepted, Failed, Refused, Closed} {
		for _, name := range hostile {
			for _, text := range hostile {
				e := Event{Kind: kind, User: name, Peer: peer4, Reason: errors.New(text), Command: text, Exit: 1}
				checkLine(t, &e)
				e.Account = text
				checkLine(t, &e)
			}
		}
	}
}

func checkLine(t *testing.T, e *Event) {
	t.Helper()
	got := e.Message()
	if !shape.MatchString(got) {
		t.Errorf("Message of %+v = %q; want the shape of its kind", e, got)
	}
	if !utf8.ValidString(got) {
		t.Errorf("Message of %+v = %q is no UTF-8", e, got)
	}
	for _, r := range got {
		// Line breaks, escapes, and what turns the reading direction round.
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
			r >= 0x2066 && r <= 0x2069 {
			t.Errorf("Message of %+v = %q has the character %U", e, got, r)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for i, s := range hostile {
		f.Add(i%4, s, s, s)
	}
	f.Fuzz(func(t *testing.T, kind int, name, reason, command string) {
		checkLine(t, &Event{Kind: Kind(uint(kind) % 4), User: name, Peer: peer4, Account: command,
			Reason: errors.New(reason), Command: command})
	})
}

func TestLongCommandIsCutInTheLineAndWholeInItsField(t *testing.T) {
	e := Event{Kind: Accepted, User: "alice", Peer: peer4, Command: strings.Repeat("\n", 131071)}
	if got := e.Message(); len(got) > 8<<10 || !strings.HasSuffix(got, "(131071 bytes)") {
		t.Errorf("the line has %d bytes and ends in %q", len(got), got[len(got)-30:])
	}
	if got := fieldMap(&e)["REXEC_COMMAND"]; got != e.Command {
		t.Errorf("REXEC_COMMAND has %d bytes; want all %d", len(got), len(e.Command))
	}
}

func TestFieldsBelongToTheirKind(t *testing.T) {
	always := map[string]string{"SYSLOG_IDENTIFIER": "in.rexecd", "SYSLOG_FACILITY": "10"}
	from := map[string]string{"REXEC_PEER": "192.0.2.7", "REXEC_PEER_PORT": "40112"}
	for _, tt := range []struct {
		event Event
		want  map[string]string
	}{
		{Event{Kind: Accepted, User: "alice", Peer: peer4}, map[string]string{"REXEC_OUTCOME": "accepted", "REXEC_USER": "alice"}},
		{Event{Kind: Accepted, User: "alice", Peer: peer4, Command: "a\nb"}, map[string]string{"REXEC_OUTCOME": "accepted", "REXEC_USER": "alice", "REXEC_COMMAND": "a\nb"}},
		{Event{Kind: Failed, User: "b\n", Invalid: true, Peer: peer4, Reason: errWhy},
			map[string]string{"REXEC_OUTCOME": "failed", "REXEC_USER": "b\n", "REXEC_REASON": errWhy.Error()}},
		{Event{Kind: Refused, User: "alice", Peer: peer4, Reason: errWhy},
			map[string]string{"REXEC_OUTCOME": "refused", "REXEC_USER": "alice", "REXEC_REASON": errWhy.Error()}},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: 7, Duration: 1234567 * time.Nanosecond},
			map[string]string{"REXEC_OUTCOME": "closed", "REXEC_USER": "alice", "REXEC_STATUS": "7", "REXEC_DURATION_USEC": "1234"}},
		{Event{Kind: Accepted, User: "ALICE", Account: "alice", Peer: peer4}, map[string]string{"REXEC_OUTCOME": "accepted", "REXEC_USER": "ALICE", "REXEC_ACCOUNT": "alice"}},
		{Event{Kind: Closed, User: "alice", Account: "alice", Peer: peer4, Exit: -1, Unknown: true,
			CPU: 912345 * time.Nanosecond, Peak: 34},
			map[string]string{"REXEC_OUTCOME": "closed", "REXEC_USER": "alice", "REXEC_ACCOUNT": "alice", "REXEC_STATUS": "unknown", "REXEC_DURATION_USEC": "0", "REXEC_CPU_USEC": "912", "REXEC_PEAK_BYTES": "34"}},
		{Event{Kind: Closed, User: "alice", Peer: peer4, Exit: -1, Signal: 9},
			map[string]string{"REXEC_OUTCOME": "closed", "REXEC_USER": "alice", "REXEC_STATUS": "killed by signal 9 (KILL)", "REXEC_DURATION_USEC": "0"}},
		{Event{Kind: ProtocolError, Peer: peer4, Reason: errWhy}, map[string]string{"REXEC_OUTCOME": "protocol-error", "REXEC_REASON": errWhy.Error()}},
		{Event{Kind: ConfigError, Peer: peer4, Reason: errWhy}, map[string]string{"REXEC_OUTCOME": "configuration-error", "REXEC_REASON": errWhy.Error()}},
		{Event{Kind: InternalError, Peer: peer4, Reason: errWhy}, map[string]string{"REXEC_OUTCOME": "internal-error", "REXEC_REASON": errWhy.Error()}},
		{Event{Kind: Trace, Session: "5e55", Peer: peer4, Reason: errWhy, Duration: time.Second}, map[string]string{
			"REXEC_OUTCOME": "trace", "REXEC_SESSION_ID": "5e55", "REXEC_REASON": errWhy.Error(), "REXEC_DURATION_USEC": "1000000",
		}},
		{Event{Kind: Penalised, Peer: peer4, Reason: errWhy}, map[string]string{"REXEC_OUTCOME": "penalised", "REXEC_REASON": errWhy.Error()}},
	} {
		got := fieldMap(&tt.event)
		if got["MESSAGE_ID"] != kinds[tt.event.Kind].id {
			t.Errorf("MESSAGE_ID of %+v = %q", tt.event, got["MESSAGE_ID"])
		}
		delete(got, "MESSAGE_ID")
		want := maps.Clone(always)
		maps.Copy(want, from)
		maps.Copy(want, tt.want)
		if !maps.Equal(got, want) {
			t.Errorf("fields of %+v = %q; want %q", tt.event, got, want)
		}
	}
}

func TestMessageIDsAreThoseOfTheCatalogForEver(t *testing.T) {
	ids := map[Kind]string{
		Accepted: "030124d2092d448d9a4626599566fc0c", Failed: "d6f63a33e20f4da0912532921cb6837f", Refused: "58e71f4d71b64c6188b2fadee11950be",
		Closed: "e724c7acb5154107959fd97a9db1e01b", ProtocolError: "dda6263314d447fa8bb63eef0b324b72", ConfigError: "3988d1218e8c4856be401a93c9adcf9e",
		InternalError: "66f882cf7255465fae4740211dbeff93", Penalised: "c984e35d1d954270b0d4067313c3dcc5", Trace: "8aee7bc93614b10395d76d6cbe0e0017",
	}
	if len(ids) != len(kinds) {
		t.Errorf("%d kinds; the test knows %d", len(kinds), len(ids))
	}
	seen := map[string]Kind{}
	for k, kind := range kinds {
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(kind.id) || kind.id != ids[Kind(k)] {
			t.Errorf("MESSAGE_ID of kind %d = %q; want %q", k, kind.id, ids[Kind(k)])
		}
		if other, ok := seen[kind.id]; ok {
			t.Errorf("kinds %d and %d have the same MESSAGE_ID", k, other)
		}
		seen[kind.id] = Kind(k)
		if kind.outcome == "" || kind.severity < 1 || kind.severity > 7 {
			t.Errorf("kind %d: outcome %q, severity %d", k, kind.outcome, kind.severity)
		}
	}
}

func TestConsoleGetsTheLineAndTheSystemsLogNothing(t *testing.T) {
	got := journald(t)
	var b bytes.Buffer
	l := &Log{system: got.system, Console: &b}
	l.Write(Event{Kind: Accepted, User: "alice", Peer: peer4})
	l.Write(Event{Kind: Failed, User: "a\nb", Peer: peer4, Reason: errWhy})
	want := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} Accepted password for alice from 192\.0\.2\.7 port 40112\n` +
		`\d\d:\d\d:\d\d\.\d{3} Failed password for "a\\nb" from 192\.0\.2\.7 port 40112: pam_authenticate: Authentication failure\n$`)
	if !want.MatchString(b.String()) {
		t.Errorf("console:\n%s", b.String())
	}
	got.none(t)
}

func ExampleEvent_Message() {
	e := Event{Kind: Failed, User: "bob", Invalid: true, Peer: netip.MustParseAddrPort("192.0.2.7:40112"), Reason: errors.New("no such user")}
	fmt.Println(e.Message())
	// Output: Failed password for invalid user bob from 192.0.2.7 port 40112: no such user
}

func fieldMap(e *Event) map[string]string {
	m := map[string]string{}
	for _, f := range e.fields() {
		m[f.name] = f.value
	}
	return m
}
