package e2e

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

var glibc struct {
	once sync.Once
	path string
	err  error
	text []byte
}

// glibcClient compiles testdata/rexec.c, a client around glibc's rexec(3).
func glibcClient(t testing.TB) string {
	t.Helper()
	dir := openDir(t)
	glibc.once.Do(func() {
		glibc.path = dir + "/rexec"
		cmd := exec.Command("gcc", "-Wall", "-Werror", "-O1", "-o", glibc.path, "testdata/rexec.c")
		glibc.text, glibc.err = cmd.CombinedOutput()
	})
	if glibc.err != nil {
		t.Fatalf("compile testdata/rexec.c: %v\n%s", glibc.err, glibc.text)
	}
	return glibc.path
}

// A result is what a client program printed and how it ended.
type result struct {
	out, err string
	status   int
}

// rexec runs glibc's client. family is "4" or "6", or "-4" or "-6" for no stderr connection.
func rexec(t testing.TB, addr string, u lab.User, command, stdin, family string, signal ...string) result {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*lab.Patience) // glibc's own patience has no end
	defer cancel()
	cmd := exec.CommandContext(ctx, glibcClient(t), append([]string{host, port, u.Name, u.Password, command, family}, signal...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var r result
	r.out, r.err, r.status = run(t, cmd)
	if ctx.Err() != nil {
		t.Fatalf("%v: no end after %v; until then %+v", cmd.Args, 2*lab.Patience, r)
	}
	return r
}

// An interop is a run of glibc's client, which must end alike with both servers, or with the
// difference that is named.
type interop struct {
	name      string
	user      lab.User
	command   string
	stdin     string
	signal    []string
	one       bool // without a stderr connection
	want      result
	netkit    *result // nil = the same
	different string  // why
}

func interops(u, noHome, noShell, long lab.User) []interop {
	wrong := lab.User{Name: u.Name, Password: "x"}
	silent := &result{"", "127.0.0.1: [ -~]+\n", 1}
	const refused = "netkit closes without a word when PAM refuses; the client prints whatever errno it finds"
	// USR1 ends one sleep of the shell; without a signal the loop ends by itself.
	const signalled = "trap 'echo got; exit' USR1; echo ready; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done 2>/dev/null; echo nothing came"
	return []interop{
		{name: "output and errors apart", user: u, command: "echo out; echo err >&2", want: result{"out\n", "err\n", 0}},
		{name: "output and errors on one connection", user: u, one: true, command: "echo out; echo err >&2", want: result{"out\nerr\n", "", 0}},
		{name: "input to its end", user: u, command: "cat; echo end", stdin: "some\ninput", want: result{"some\ninputend\n", "", 0}},
		{name: "bytes 0 and 1 are data", user: u, command: "cat", stdin: "\x00\x01\x00\x01a", want: result{"\x00\x01\x00\x01a", "", 0}},
		{name: "much input", user: u, command: "wc -c", stdin: strings.Repeat("i", 300000), want: result{"300000\n", "", 0}},
		{name: "no exit status on the wire", user: u, command: "exit 3", want: result{"", "", 0}},
		{name: "an empty command", user: u, command: "", want: result{"", "", 0}},
		{name: "who and where", user: u, command: "id -un; pwd; umask; echo $HOME $USER $SHELL", want: result{u.Name + "\n/home/" + u.Name + "\n0022\n/home/" + u.Name + " " + u.Name + " /bin/sh\n", "", 0}},
		{name: "more variables", user: u, command: "echo $LOGNAME $PATH; echo ${REXEC_CLIENT%% *}", want: result{u.Name + " /usr/local/bin:/usr/bin:/bin\n127.0.0.1\n", "", 0},
			netkit: &result{"/usr/bin:/bin\n\n", "", 0}, different: "netkit sets no LOGNAME, no REXEC_CLIENT and a shorter PATH"},
		{name: "a shell that is missing", user: noShell, command: "echo no", want: result{"", "/nowhere: No such file or directory\n", 0}},
		{name: "a home that is missing", user: noHome, command: "echo no", want: result{"", "No remote directory.\n", 1},
			netkit: &result{"", "\x01No remote directory.\n", 0}, different: "netkit says yes first, and then no on the command's stderr"},
		{name: "a wrong password", user: wrong, command: "echo no", want: result{"", "Login incorrect.\n", 1}, netkit: silent, different: refused},
		{name: "an unknown user", user: lab.User{Name: "nosuch", Password: "x"}, command: "echo no", want: result{"", "Login incorrect.\n", 1}, netkit: silent, different: refused},
		{name: "root", user: lab.User{Name: "root", Password: "x"}, command: "echo no", want: result{"", "Login incorrect.\n", 1}, netkit: silent, different: refused},
		{name: "a password of 16 bytes", user: long, command: "echo yes", want: result{"yes\n", "", 0},
			netkit: &result{"", "password too long\n", 1}, different: "netkit takes 15 bytes"},
		{name: "a name of 16 bytes", user: lab.User{Name: "abcdefghijklmnop", Password: "x"}, command: "echo no", want: result{"", "Login incorrect.\n", 1},
			netkit: &result{"", "username too long\n", 1}, different: "netkit takes 15 bytes"},
		{name: "a signal", user: u, command: signalled, signal: []string{"10"}, want: result{"ready\ngot\n", ".*", 0},
			netkit: &result{"ready\nnothing came\n", "rexec: read: Connection reset by peer\n", 3}, different: "netkit has no process that would read the byte"},
	}
}

func TestGlibcsRexecIsServedAsByNetkitButForTheNamedDifferences(t *testing.T) {
	t.Parallel()
	const password = "Secret of 15b" // netkit takes no more than 15 bytes
	cases := interops(newUser(t, lab.User{Password: password}), newUser(t, lab.User{Password: password, Home: "/nowhere"}),
		newUser(t, lab.User{Password: password, Shell: "/nowhere"}), newUser(t, lab.User{Password: "Secret of 16 byt"}))
	ours, netkit := serve(t, lab.Handler{}), lab.Handler{Path: lab.Netkit(t)}.Start(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			family := "4"
			if c.one {
				family = "-4"
			}
			compare(t, "in.rexecd", rexec(t, ours.Addr, c.user, c.command, c.stdin, family, c.signal...), c.want)
			theirs := c.want
			if c.netkit != nil {
				theirs = *c.netkit
			}
			compare(t, "netkit", rexec(t, netkit.Addr, c.user, c.command, c.stdin, family, c.signal...), theirs)
			if (c.netkit != nil) != (c.different != "") {
				t.Error("a difference without its reason, or a reason without its difference")
			}
		})
	}
}

// compare compares with want's texts as regular expressions.
func compare(t testing.TB, server string, got, want result) {
	t.Helper()
	wantMatch(t, server+": output", got.out, want.out)
	wantMatch(t, server+": errors", got.err, want.err)
	if got.status != want.status {
		t.Errorf("%s: the client's status %d; want %d", server, got.status, want.status)
	}
}

func TestGlibcsRexecAfIsServedOverIPv6(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Address: "::1"})
	compare(t, "in.rexecd", rexec(t, s.Addr, u, "cat; echo err >&2", "in", "6"), result{"in", "err\n", 0})
	s.Log.Wait(t, "Accepted password for "+u.Name+" from ::1 port ")
	u.Password = "x"
	compare(t, "in.rexecd", rexec(t, s.Addr, u, "cat", "in", "6"), result{"", "Login incorrect.\n", 1})
}
