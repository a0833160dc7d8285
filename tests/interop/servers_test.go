package interop

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

// A server is somebody else's, for our client.
type server struct {
	name    string
	path    func(t testing.TB) string
	wrong   string // what the client says after a wrong password; GNU's server overwrites the full stop
	noHome  string // and when the home directory is missing
	noHomed int    // with this exit status
}

var servers = []server{
	{"GNU inetutils 2.4", func(t testing.TB) string { return lab.Inetutils(t, "rexecd") },
		"Password incorrect", "No remote directory", 1},
	{"netkit 0.17", func(t testing.TB) string { return lab.Netkit(t) },
		"the server closed the connection without a word (some do when they refuse a login)", "No remote directory.", 1},
}

// rexec runs our client with options.
func rexec(t testing.TB, at target, u lab.User, stdin string, args ...string) result {
	t.Helper()
	line := []string{lab.Client(t), "-P", at.port, "-l", u.Name, "-p", u.Password}
	return run(t, at.namespace, stdin, append(append(line, at.host), args...)...)
}

func TestOurClientUnderstandsForeignServers(t *testing.T) {
	t.Parallel()
	prepare(t)
	data := make([]byte, 1<<20)
	rand.Read(data)
	data[0] = 0 // is not taken for a status byte
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			_, at := handle(t, lab.Handler{Path: s.path(t)}) // netkit serves nobody without a name
			for _, c := range []struct {
				name, stdin string
				user        lab.User
				args        []string
				want        result
			}{
				{"output and errors", "in", alice, []string{"cat; echo err >&2"}, result{out: "in", err: "err\n"}},
				{"one connection", "in", alice, []string{"-a", "cat; echo err >&2"}, result{out: "inerr\n"}},
				{"a mebibyte both ways", string(data), alice, []string{"cat"}, result{out: string(data)}},
				{"an exit status", "", alice, []string{"--status", "exit 7"}, result{status: 7}},
				{"late output", "", alice, []string{"cat; sleep 1; echo late"}, result{out: "late\n"}},
				{"an empty command", "", alice, []string{""}, result{}},
				{"a wrong password", "", lab.User{Name: alice.Name, Password: "x"}, []string{"id"}, result{err: s.wrong, status: 1}},
				{"an unknown user", "", lab.User{Name: "nosuch", Password: "x"}, []string{"id"}, result{err: strings.Replace(s.wrong, "Password", "Login", 1), status: 1}},
				{"no home", "", homeless, []string{"id"}, result{err: s.noHome, status: s.noHomed}},
			} {
				got := rexec(t, at, c.user, c.stdin, c.args...)
				if c.user.Name != alice.Name || c.user.Password != alice.Password {
					got.err = strings.TrimSuffix(strings.TrimPrefix(got.err, "rexec: "+at.host+": "), "\n")
				}
				if got.out != c.want.out || got.err != c.want.err || got.status != c.want.status {
					t.Errorf("%s: %.300q %.300q %d after %v; want %.300q %.300q %d", c.name, got.out, got.err, got.status, got.took,
						c.want.out, c.want.err, c.want.status)
				}
			}
		})
	}
}

// A server on several addresses, or behind a gateway that redirects, connects from another
// address than the client has called. The client names it, and takes it when told to.
func TestOurClientNamesTheAddressThatStderrCameFrom(t *testing.T) {
	t.Parallel()
	prepare(t)
	n := connect(t, "")
	_, second := handle(t, lab.Handler{Path: lab.Inetutils(t, "rexecd"), Address: "0.0.0.0"})
	second.namespace, second.host = n.inside, n.second()
	behind := redirected(t, "")
	for _, c := range []struct {
		name string
		at   target
		from string // the server's address
	}{
		{"GNU's server on a second address", second, n.server()},
		{"ours behind a gateway", behind, strings.Replace(behind.host, ".0.1", ".1.10", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rexec(t, c.at, alice, "", "echo no")
			if r.out != "" || r.status == 0 || !strings.Contains(r.err, c.from) || r.took > patience {
				t.Errorf("%+v; want %s named, within %v", r, c.from, patience)
			}
			for _, from := range []string{"any", c.from, strings.TrimSuffix(c.from, "10") + "0/24"} {
				r := rexec(t, c.at, alice, "", "--stderr-from", from, "echo out; echo err >&2")
				if r.out != "out\n" || r.err != "err\n" || r.status != 0 {
					t.Errorf("--stderr-from %s: %+v", from, r)
				}
			}
		})
	}
}

// GNU's server sends the status byte down the stderr connection, and output on the other may
// arrive before it: what it begins with could be the status, unless the client knows.
func TestOutputOfGNUsServerThatBeginsWithANULIsKept(t *testing.T) {
	t.Parallel()
	prepare(t)
	_, at := handle(t, lab.Handler{Path: lab.Inetutils(t, "rexecd")})
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 25 {
				got, ended := attempt(t, bound, "", "", lab.Client(t), "-P", at.port, "-l", alice.Name, "-p", alice.Password,
					"-q", "status-on-stderr", at.host, `printf '\0output'; printf '\0errors' >&2`)
				if !ended || got.out != "\x00output" || got.err != "\x00errors" || got.status != 0 {
					t.Errorf("ended %v: %q %q %d", ended, got.out, got.err, got.status)
				}
			}
		}()
	}
	all.Wait()
}
