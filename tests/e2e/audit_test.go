package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// A decision is what the server logs for a request. The message is a regular expression in which
// PORT is the client's.
type decision struct {
	name, message, outcome string
	send                   []byte
	fields                 map[string]string
	settings               string
}

// decisions returns one request for each kind of record.
func decisions(t testing.TB) []decision {
	u, homeless := newUser(t, lab.User{}), newUser(t, lab.User{Home: "/nowhere"})
	wrong := u
	wrong.Password = "Secret of nobody"
	return []decision{
		{"accepted", "Accepted password for " + u.Name + " from 127.0.0.1 port PORT", "accepted", request(u, "exit 3").Bytes(), map[string]string{"REXEC_USER": u.Name}, ""},
		{"ended", "Session closed for " + u.Name + ` from 127\.0\.0\.1 port PORT: exit status 3 after [0-9]+\.[0-9]s, cpu [0-9]+\.[0-9]s, [0-9]+ MB`, "closed", request(u, "exit 3").Bytes(),
			map[string]string{"REXEC_USER": u.Name, "REXEC_STATUS": "3"}, ""},
		{"failed", "Failed password for " + u.Name + ` from 127\.0\.0\.1 port PORT: [ -~]+`, "failed", request(wrong, "exit 3").Bytes(), map[string]string{"REXEC_USER": u.Name}, ""},
		{"failed for nobody", `Failed password for invalid user "bob\\r\\n" from 127\.0\.0\.1 port PORT: [ -~]+`, "failed", request(lab.User{Name: "bob\r\n"}, "").Bytes(),
			map[string]string{"REXEC_USER": "bob\r\n"}, ""},
		{"refused", "Refused " + homeless.Name + ` from 127\.0\.0\.1 port PORT: [ -~]+`, "refused", request(homeless, "").Bytes(), map[string]string{"REXEC_USER": homeless.Name}, ""},
		{"configuration error", `Configuration error: /run/lab/\d+/rexecd\.toml:1:1: [ -~]+`, "configuration-error", request(u, "").Bytes(), nil, "nonsense = 1"},
		{"protocol error", `Protocol error from 127\.0\.0\.1 port PORT: [ -~]+`, "protocol-error", []byte("x\x00"), nil, ""},
	}
}

func TestEveryDecisionIsOneRecordInTheJournal(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for _, c := range decisions(t) {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, lab.Handler{Settings: c.settings})
			port := ask(t, s, c.send)
			r := find(t, s, c.outcome)
			wantMatch(t, "MESSAGE", r["MESSAGE"], strings.ReplaceAll(c.message, "PORT", port))
			want := map[string]string{"REXEC_PEER": "127.0.0.1", "REXEC_PEER_PORT": port, "SYSLOG_IDENTIFIER": "in.rexecd", "SYSLOG_FACILITY": "10"}
			for k, v := range c.fields {
				want[k] = v
			}
			for k, v := range want {
				if r[k] != v {
					t.Errorf("%s = %q; want %q", k, r[k], v)
				}
			}
			if c.outcome == "closed" {
				if n, err := strconv.Atoi(r["REXEC_DURATION_USEC"]); err != nil || n <= 0 || n > 60e6 {
					t.Errorf("REXEC_DURATION_USEC = %q", r["REXEC_DURATION_USEC"])
				}
			}
			if _, there := r["REXEC_REASON"]; there != strings.Contains(c.message, "[ -~]+") {
				t.Errorf("REXEC_REASON = %q", r["REXEC_REASON"])
			}
			if _, there := r["REXEC_COMMAND"]; there {
				t.Errorf("the command is logged: %q", r)
			}
			wantMatch(t, "MESSAGE_ID", r["MESSAGE_ID"], "[0-9a-f]{32}")
			wantMatch(t, "PRIORITY", r["PRIORITY"], "[3-6]")
			if other, known := ids[r["MESSAGE_ID"]]; known && other != c.outcome {
				t.Errorf("%s and %s have the same MESSAGE_ID", other, c.outcome)
			}
			ids[r["MESSAGE_ID"]] = c.outcome
		})
	}
}

// ask sends a request, reads the answer, waits for the handler's end, and returns the client's
// port.
func ask(t testing.TB, s *lab.Listening, request []byte) (port string) {
	t.Helper()
	c := lab.Dial(t, s.Addr)
	_, port, _ = strings.Cut(c.LocalAddr().String(), ":")
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite()
	s.Process(t, 0).Wait(t)
	return port
}

// find waits for the one record with this outcome.
func find(t testing.TB, s *lab.Listening, outcome string) lab.Record {
	t.Helper()
	var found []lab.Record
	lab.Eventually(t, "a record "+outcome, func() bool {
		found = nil
		for _, r := range s.Log.Records() {
			if r["REXEC_OUTCOME"] == outcome {
				found = append(found, r)
			}
		}
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Errorf("%d records %s: %v", len(found), outcome, found)
	}
	return found[0]
}

func TestWithoutAJournalEveryDecisionIsALineForSyslog(t *testing.T) {
	t.Parallel()
	for _, c := range decisions(t) {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, lab.Handler{Settings: c.settings, Room: lab.Room{NoJournal: true}})
			port := ask(t, s, c.send)
			message := strings.ReplaceAll(c.message, "PORT", port)
			first, _, _ := strings.Cut(message, " ")
			line := s.Log.WaitLine(t, "]: "+first+" ")
			// authpriv is facility 10: priorities 80 to 87.
			wantMatch(t, "syslog line", strings.TrimRight(line, "\n\x00"),
				fmt.Sprintf(`<8[3-6]>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d in\.rexecd\[%d\]: %s`, s.Process(t, 0).Pid, message))
			if len(s.Log.Records()) != 0 {
				t.Errorf("records in a journal that is not there: %v", s.Log.Records())
			}
		})
	}
}

func TestWithoutAnyLogTheServerServes(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, on := range []lab.Descriptors{lab.InOutErr, lab.In} {
		s := serve(t, lab.Handler{On: on, Room: lab.Room{NoJournal: true, NoSyslog: true}})
		wantOut(t, s.Addr, request(u, "echo yes; echo err >&2"), "yes\nerr\n")
		wantAll(t, s.Addr, lab.Request{User: u.Name, Password: "x"}, loginIncorrect)
	}
}

func TestTheCommandIsLoggedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "log_command = true"})
	command := "echo 'a\nb'\x01\xff; exit 3; " + strings.Repeat("#", 100_000)
	ask(t, s, request(u, command).Bytes())
	r := find(t, s, "accepted")
	if r["REXEC_COMMAND"] != command {
		t.Errorf("REXEC_COMMAND has %d bytes, %.60q; want the command byte for byte", len(r["REXEC_COMMAND"]), r["REXEC_COMMAND"])
	}
	if !printable(r["MESSAGE"]) {
		t.Errorf("MESSAGE = %.200q; the command in it is not quoted", r["MESSAGE"])
	}
	quiet := serve(t, lab.Handler{})
	ask(t, quiet, request(u, "echo a-command-of-mine").Bytes())
	find(t, quiet, "closed")
	if strings.Contains(quiet.Log.Raw(), "a-command-of-mine") {
		t.Errorf("the command is in the log: %q", quiet.Log.Raw())
	}
}

func TestNoPasswordIsEverLogged(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	loud := lab.Room{Stack: "auth required pam_unix.so nodelay debug audit\nauth required pam_warn.so\naccount required pam_unix.so debug audit\nsession required pam_unix.so debug\n"}
	for _, room := range []lab.Room{loud, {Stack: loud.Stack, NoJournal: true}} {
		s := serve(t, lab.Handler{Room: room, Settings: "log_command = true"})
		for _, send := range []string{
			string(request(u, "exit 3").Bytes()),
			"\x00" + u.Name + "\x00Secret of nobody\x00id\x00",
			"\x00" + u.Name + "\x00Secret of nobody",
			"\x00nosuch\x00Secret of nobody\x00id\x00",
			"\x00root\x00Secret of root\x00id\x00",
			"\x00" + u.Name + "\x00" + strings.Repeat("Secret of nobody", 100) + "\x00id\x00",
			"\x00" + u.Name + "\x00Secret of nobody\x00" + strings.Repeat("x", 200_000),
			"\x00" + strings.Repeat("u", 300) + "\x00Secret of nobody\x00",
		} {
			lab.AskRaw(t, s.Addr, []byte(send)) // serve looks for "Secret of" in the log
		}
		for n := range 8 {
			if out := s.Process(t, n).Output(); strings.Contains(out, "Secret of") {
				t.Errorf("a password is in the output %q", out)
			}
		}
	}
}
