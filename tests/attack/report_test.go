package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// An auditor believes the report: after an attack, each of its figures must be what the test did.
func TestTheReportOfAnAttackIsWhatTheAttackDid(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	expired := newUser(t, lab.User{})
	lab.Run(t, "chage", "-E", "1", expired.Name)
	s := serve(t, lab.Handler{Settings: "log_command = true\n" + harsh, Address: "192.0.2.1"})
	for _, source := range []string{"192.0.2.91", "192.0.2.93"} {
		penalties(t, "clear", source) // of an earlier run
	}
	const commands, guesses, denials = 3, 2, 2
	for range commands {
		ask(t, "192.0.2.90", s.Addr, request(u, "echo '<b>'"))
	}
	name := "<script>\x1b]0;x\x07\n" + u.Name + " from 192.0.2.90 port 1"
	for range guesses {
		ask(t, "192.0.2.91", s.Addr, lab.Request{User: name, Password: "x", Command: "id"})
	}
	for range denials {
		ask(t, "192.0.2.91", s.Addr, request(u, "id")) // the right password, and too late
	}
	ask(t, "192.0.2.92", s.Addr, request(expired, "id"))
	c := from(t, "192.0.2.93", s.Addr)
	c.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	io.ReadAll(c) // until the server has decided
	c.Close()
	allGone(t, s)
	want := map[string]string{
		"192.0.2.90 " + u.Name:       "sessions 3, failed 0, refused 0, protocol 0, ended 3, command echo '<b>' 3",
		"192.0.2.91 " + name:         "sessions 0, failed 2, refused 0, protocol 0, ended 0",
		"192.0.2.91 ":                "sessions 0, failed 0, refused 2, protocol 0, ended 0",
		"192.0.2.92 " + expired.Name: "sessions 0, failed 0, refused 1, protocol 0, ended 0",
		"192.0.2.93 ":                "sessions 0, failed 0, refused 0, protocol 1, ended 0",
	}
	got := reportedPairs(t, s.Log.JournalJSON(t))
	for pair, figures := range want {
		if got[pair] != figures {
			t.Errorf("%q: %s; want %s", pair, got[pair], figures)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d pairs: %q", len(got), got)
	}
}

// reportedPairs are those of rexecd -report -json, by source and user.
func reportedPairs(t testing.TB, journal string) map[string]string {
	t.Helper()
	file := write(t, filepath.Join(t.TempDir(), "journal.json"), journal)
	cmd := exec.Command(lab.Rexecd(t), "-report", "-json", "-file", file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var r struct {
		Pairs []struct {
			Source, User                     string
			Sessions, Failed, Refused, Ended int
			ProtocolErrors                   int `json:"protocol_errors"`
			Commands                         []struct {
				Command string
				Times   int
			}
		}
	}
	if err != nil || json.Unmarshal(out, &r) != nil {
		t.Fatalf("rexecd -report -json: %v: %.500s", err, out)
	}
	pairs := map[string]string{}
	for _, p := range r.Pairs {
		var b strings.Builder
		fmt.Fprintf(&b, "sessions %d, failed %d, refused %d, protocol %d, ended %d", p.Sessions, p.Failed, p.Refused, p.ProtocolErrors, p.Ended)
		for _, c := range p.Commands {
			fmt.Fprintf(&b, ", command %s %d", c.Command, c.Times)
		}
		pairs[p.Source+" "+p.User] = b.String()
	}
	return pairs
}
