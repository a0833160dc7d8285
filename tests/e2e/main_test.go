// Package e2e runs the built in.rexecd as a super-server would, on real accounts with real PAM modules.
package e2e

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "6") // most tests wait for something; -parallel on the command line has the last word
	lab.Main(m)
}

// loginIncorrect is the answer to everything that PAM refuses before the password was proven right.
const loginIncorrect = "\x01Login incorrect.\n"

// tooManyOpen is the answer to a connection over -max-per-source.
const tooManyOpen = "\x01Connection refused: too many failed or open logins, try again later.\n"

var names atomic.Int64

// newUser makes an account with a name and a password that no other test has.
func newUser(t testing.TB, u lab.User) lab.User {
	t.Helper()
	u.Name = "user" + strconv.FormatInt(names.Add(1), 10)
	if u.Password == "" {
		u.Password = "Secret of " + u.Name + "!"
	}
	lab.AddUser(t, u)
	return u
}

// request is a request without a stderr connection.
func request(u lab.User, command string) lab.Request {
	return lab.Request{User: u.Name, Password: u.Password, Command: command}
}

// serve starts the server under test. When the test ends, no password of any account may have been logged or printed.
func serve(t testing.TB, h lab.Handler) *lab.Listening {
	t.Helper()
	if h.Path == "" {
		h.Path = lab.Server(t)
	}
	s := h.Start(t)
	t.Cleanup(func() {
		if strings.Contains(s.Log.Raw(), "Secret of") {
			t.Errorf("a password is in the log: %q", s.Log.Raw())
		}
	})
	return s
}

// wantAll runs the request and compares every byte of the answer.
func wantAll(t testing.TB, addr string, r lab.Request, want string) {
	t.Helper()
	if a := lab.Ask(t, addr, r); string(a.All) != want || a.Err != nil {
		t.Errorf("%v; want %q", a, want)
	}
}

// wantOut runs the request and compares the command's output.
func wantOut(t testing.TB, addr string, r lab.Request, want string) {
	t.Helper()
	wantAll(t, addr, r, "\x00"+want)
}

// out runs the request and returns the command's output.
func out(t testing.TB, addr string, r lab.Request) string {
	t.Helper()
	a := lab.Ask(t, addr, r)
	if a.Status() != 0 || a.Err != nil {
		t.Fatalf("%v; want a command's output", a)
	}
	return a.Out()
}

// wantMatch compares with a regular expression, anchored at both ends.
func wantMatch(t testing.TB, what, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile(`\A(?s:` + pattern + `)\z`).MatchString(got) {
		t.Errorf("%s = %q; want a match of %s", what, got, pattern)
	}
}

// script writes an executable shell script into a folder that everybody may read.
func script(t testing.TB, body string) string {
	t.Helper()
	path := filepath.Join(openFolder(t), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// openFolder makes a folder that everybody may write to; t.TempDir is for root alone.
func openFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// read returns a file's content, or "" while there is none.
func read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// field returns the value of a "Name:\tvalue" line, as /proc/PID/status has them.
func field(t testing.TB, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no %s in %q", name, text)
	return ""
}

// uid returns the account's number.
func uid(t testing.TB, u lab.User) string {
	t.Helper()
	return strings.TrimSpace(lab.Run(t, "id", "-u", u.Name))
}

// alive says whether there is such a process, and not only its remains.
func alive(pid string) bool {
	status := read("/proc/" + pid + "/status")
	return status != "" && !strings.Contains(status, "State:\tZ")
}

// run runs a program to its end and returns its standard output, its standard error and its exit status.
func run(t testing.TB, cmd *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var o, e strings.Builder
	if cmd.Stdout == nil {
		cmd.Stdout = &o
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &e
	}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func itoa(n int) string { return strconv.Itoa(n) }

// printable says whether a text is one line of ASCII without control characters.
func printable(text string) bool {
	for _, b := range []byte(text) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
