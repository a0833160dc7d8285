// Package rsh runs the built in.rshd and rsh on a host of their own, beside other people's: glibc's
// rcmd(3), netkit's, rsh-redone's and GNU's programs.
package rsh

import (
	"context"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "6") // most tests wait for something
	lab.Main(m)
}

// permissionDenied is the answer to every login that is refused.
const permissionDenied = "\x01Permission denied.\n"

// trust is settings that permit host-based logins, trustStack the PAM file that goes with them.
const (
	trust      = "[rsh]\ntrust = true\n"
	trustStack = "auth     sufficient pam_rhosts.so\n" + lab.Stack
)

// serve starts in.rshd. stack is its PAM file; "": the password alone.
func serve(t testing.TB, settings, stack string, h lab.Handler) *lab.Listening {
	t.Helper()
	h.Path, h.Settings = lab.Rshd(t), settings
	return start(t, stack, h)
}

// start starts a server that asks the PAM service rsh.
func start(t testing.TB, stack string, h lab.Handler) *lab.Listening {
	t.Helper()
	if stack == "" {
		stack = lab.Stack
	}
	if h.Files == nil {
		h.Files = map[string]string{}
	}
	h.Files["/etc/pam.d/rsh"] = stack
	return lab.Serve(t, h)
}

// newUser makes an account that trusts whom lines, of ~/.rhosts, name; "": no file.
func newUser(t testing.TB, u lab.User, rhosts string) lab.User {
	t.Helper()
	u = lab.NewUser(t, u)
	if rhosts != "" {
		path := "/home/" + u.Name + "/.rhosts"
		if err := os.WriteFile(path, []byte(rhosts), 0o600); err != nil {
			t.Fatal(err)
		}
		lab.Run(t, "chown", u.Name, path)
	}
	return u
}

// both is the server-user field of a login with a password.
func both(u lab.User) string { return u.Name + "/" + u.Password }

// request is a login with a password.
func request(u lab.User, command string) lab.Request {
	return lab.Request{User: "someone", Password: both(u), Command: command}
}

var rcmd struct {
	once sync.Once
	path string
	err  error
	text []byte
}

// rcmdClient compiles testdata/rcmd.c, a client around glibc's rcmd_af(3).
func rcmdClient(t testing.TB) string {
	t.Helper()
	dir := lab.OpenDir(t)
	rcmd.once.Do(func() {
		rcmd.path = filepath.Join(dir, "rcmd")
		cmd := exec.Command("gcc", "-Wall", "-Wextra", "-Werror", "-O1", "-o", rcmd.path, "testdata/rcmd.c")
		rcmd.text, rcmd.err = cmd.CombinedOutput()
	})
	if rcmd.err != nil {
		t.Fatalf("compile testdata/rcmd.c: %v\n%s", rcmd.err, rcmd.text)
	}
	return rcmd.path
}

// A result is what a client program printed and how it ended.
type result struct {
	out, err string
	status   int
}

// run runs a client to its end.
func run(t testing.TB, stdin string, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*lab.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	return finish(ctx, t, cmd, stdin)
}

func finish(ctx context.Context, t testing.TB, cmd *exec.Cmd, stdin string) result {
	t.Helper()
	var o, e strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v: no end after %v; until then %q, %q", cmd.Args, 2*lab.Patience, o.String(), e.String())
	}
	return result{o.String(), e.String(), cmd.ProcessState.ExitCode()}
}

// glibc runs glibc's client as root. family is "4" or "6", or "-4" or "-6" for no stderr
// connection.
func glibc(t testing.TB, addr, client, user, command, stdin, family string, signal ...string) result {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, stdin, rcmdClient(t), append([]string{host, port, client, user, command, family}, signal...)...)
}

// compare compares with want's texts as regular expressions.
func compare(t testing.TB, server string, got, want result) {
	t.Helper()
	for _, text := range []struct{ name, got, want string }{{"output", got.out, want.out}, {"errors", got.err, want.err}} {
		if !regexp.MustCompile(`\A(?s:` + text.want + `)\z`).MatchString(text.got) {
			t.Errorf("%s: %s = %q; want a match of %s", server, text.name, text.got, text.want)
		}
	}
	if got.status != want.status {
		t.Errorf("%s: the client's status %d; want %d", server, got.status, want.status)
	}
}
