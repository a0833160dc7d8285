// Package attack attacks the built in.rexecd: before login, after login and through broken
// modules. SECURITY.md names each of these tests beside what it shows.
package attack

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // most tests wait for something; -parallel on the command line has the last word
	lab.Main(m)
}

const (
	loginIncorrect = "\x01Login incorrect.\n"
	tryAgain       = "\x01Try again.\n"
	tooManyFailed  = "\x01Too many failed logins, try again later.\n"
)

// Short names of what most of these tests use.
var (
	newUser  = lab.NewUser
	request  = lab.User.Request
	serve    = lab.Serve
	want     = lab.Want
	out      = lab.Output
	openDir  = lab.OpenDir
	read     = lab.Read
	status   = lab.ProcStatus
	children = lab.Children
	from     = lab.DialFrom
	ask      = lab.AskFrom
	uid      = lab.UID
)

// served fails the test unless the server serves: after each attack it must.
func served(t testing.TB, addr string, u lab.User) {
	t.Helper()
	want(t, addr, request(u, "echo served"), "\x00served\n")
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// allGone waits until every handler so far has ended, and returns how many there were.
func allGone(t testing.TB, s *lab.Listening) int {
	t.Helper()
	all := s.Processes()
	for _, p := range all {
		p.Wait(t)
	}
	return len(all)
}

var routes sync.Once

// manyAddresses makes the documentation networks this host's own.
func manyAddresses(t testing.TB) {
	t.Helper()
	routes.Do(func() {
		for _, net := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"} {
			lab.Run(t, "ip", "route", "add", "local", net, "dev", "lo")
		}
		lab.Run(t, "ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")
		lab.Run(t, "ip", "-6", "addr", "add", "2001:db8::1/128", "dev", "lo", "nodad")
		for _, addr := range []string{"10.9.0.1/24", "10.9.0.2/24"} { // the second is a secondary one
			lab.Run(t, "ip", "addr", "add", addr, "dev", "lo")
		}
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// rss returns a process's resident memory in kB, 0 for one that has ended.
func rss(pid int) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(status(pid, "VmRSS"), " kB"))
	return n
}
