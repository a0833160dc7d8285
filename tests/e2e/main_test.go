// Package e2e runs the built in.rexecd as a super-server would, on real accounts with real PAM
// modules.
package e2e

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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

// Short names of what most of these tests use.
var (
	newUser = lab.NewUser
	request = lab.User.Request
	serve   = lab.Serve
	wantAll = lab.Want
	out     = lab.Output
	openDir = lab.OpenDir
	read    = lab.Read
	askFrom = lab.AskFrom
	uid     = lab.UID
)

// wantOut runs the request and compares the command's output.
func wantOut(t testing.TB, addr string, r lab.Request, want string) {
	t.Helper()
	wantAll(t, addr, r, "\x00"+want)
}

// wantMatch compares with a regular expression, anchored at both ends.
func wantMatch(t testing.TB, what, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile(`\A(?s:` + pattern + `)\z`).MatchString(got) {
		t.Errorf("%s = %q; want a match of %s", what, got, pattern)
	}
}

// script writes an executable shell script into a directory that everybody may read.
func script(t testing.TB, body string) string {
	t.Helper()
	path := filepath.Join(openDir(t), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
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

// alive says whether there is such a process, and not only its remains.
func alive(pid string) bool {
	status := read("/proc/" + pid + "/status")
	return status != "" && !strings.Contains(status, "State:\tZ")
}

// run runs a program to its end and returns its standard output, its standard error and its exit
// status.
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
