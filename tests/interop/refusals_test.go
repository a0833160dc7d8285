package interop

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// What the server says to a source that failed too often, or has too many connections open.
const (
	tooMany      = "Too many failed logins, try again later."
	tooManyAtAll = "Connection refused: too many failed or open logins, try again later."
)

// harsh makes a source wait after two failures. The amounts are large: a busy machine must not
// forget failures faster than the test makes them.
const harsh = "[penalties]\nauthfail = 200\nnoauth = 0\nmin = 300\nmax = 600\n"

// A refusal is a server that refuses, and what it says.
type refusal struct {
	name    string
	open    func(t *testing.T) target
	user    lab.User
	command string
	want    string
	clients []client // nil = all
}

func refusals() []refusal {
	wrong, long := lab.User{Name: alice.Name, Password: "wrong"}, strings.Repeat("n", 300)
	plain := func(t *testing.T) target { _, at := serve(t, ""); return at }
	with := func(settings string) func(*testing.T) target {
		return func(t *testing.T) target { _, at := serve(t, settings); return at }
	}
	return []refusal{
		{name: "a wrong password", open: plain, user: wrong, want: "Login incorrect."},
		{name: "an unknown user", open: plain, user: lab.User{Name: "nosuch", Password: "wrong"}, want: "Login incorrect."},
		{name: "a penalty", open: penalised, user: alice, want: tooMany},
		{name: "-max-per-source", open: crowded, user: alice, want: tooManyAtAll},
		{name: "stderr = \"no\"", open: with("stderr = \"no\"\n"), user: alice, want: "stderr connections are not permitted here"},
		{name: "a mistake in rexecd.toml", open: with("grace = \"soon\"\n"), user: alice, want: "Try again."},
		{name: "a long user name", open: plain, user: lab.User{Name: long, Password: "wrong"}, want: "username too long"},
		{name: "a long password", open: plain, user: lab.User{Name: alice.Name, Password: long + long}, want: "password too long"},
		// The others take the command as an argument, which Linux limits to one byte less.
		{name: "a long command", open: plain, user: alice, command: "{128 KiB}", want: "command too long", clients: []client{commonsNet}},
		{name: "no home directory", open: plain, user: homeless, want: "No remote directory."},
	}
}

// penalised is a server that has seen two wrong passwords from the source of its clients.
func penalised(t *testing.T) target {
	_, at := serve(t, harsh)
	for range 2 {
		lab.Ask(t, net.JoinHostPort(at.host, at.port), lab.Request{User: alice.Name, Password: "wrong", Command: "id"})
	}
	return at
}

// crowded is a server that permits one connection of a source, which is open.
func crowded(t *testing.T) target {
	at := supervise(t, lab.Room{}, "5120", "-max-per-source", "1")
	s := lab.Open(t, net.JoinHostPort(at.host, at.port), alice.Name, alice.Password, "cat")
	s.Started(t)
	t.Cleanup(func() { s.Rest(t) })
	return at
}

// supervise starts the program that listens by itself, with flags, on an address of its own.
func supervise(t *testing.T, room lab.Room, port string, flags ...string) target {
	t.Helper()
	at := target{"", address(t), port}
	path := filepath.Join(filepath.Dir(lab.Server(t)), "rexecd")
	if _, err := os.Stat(path); err != nil {
		path = lab.Server(t)
	}
	room.Command(t, exec.Command(path, append(flags, "-standby", "2", "-listen", at.host+":"+at.port)...))
	lab.Eventually(t, "the supervisor", func() bool {
		out, _ := exec.Command("ss", "-Hltn", "src", at.host+":"+at.port).Output()
		return len(out) > 0
	})
	return at
}

// A client that listens for its second connection waits for it for ever: every refusal must reach
// it all the same.
func TestNoClientHangsInARefusal(t *testing.T) {
	t.Parallel()
	prepare(t)
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			at := r.open(t)
			if r.command == "" {
				r.command = "echo no"
			}
			clients := r.clients
			if clients == nil {
				clients = append(foreign, ours)
			}
			for _, c := range clients {
				for _, stderr := range []bool{true, false} {
					t.Run(c.name+", "+strconv.FormatBool(stderr), func(t *testing.T) { r.try(t, at, c, stderr) })
				}
			}
		})
	}
}

func (r refusal) try(t *testing.T, at target, c client, stderr bool) {
	got := c.run(t, at, r.user, r.command, "", stderr)
	t.Logf("%v after %v: %q %q", got.status, got.took.Round(10e6), got.out, got.err)
	switch {
	case !stderr && strings.Contains(r.name, "stderr"):
		if got.out != "no\n" || got.status != 0 {
			t.Errorf("without a stderr connection: %+v; want the command", got)
		}
	case !matches(r.want, c.said(got), strings.Contains(r.name, "stderr")):
		t.Errorf("%+v; want %q", got, r.want)
	case got.status == 0 && c.name != gnu.name:
		t.Errorf("%+v; want an exit status that is not 0", got)
	}
}

// matches reports whether what a client printed, without its own name and that of the host, is
// the whole text. Ours may add a line of advice.
func matches(pattern, printed string, advice bool) bool {
	line := strings.TrimSuffix(printed, "\n")
	if rest, ok := strings.CutPrefix(line, "rexec: "); ok {
		_, line, _ = strings.Cut(rest, ": ")
		if advice {
			line, _, _ = strings.Cut(line, "\n")
		}
	}
	return regexp.MustCompile("^" + pattern + "$").MatchString(line)
}
