package interop

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// A scanner guesses passwords from a list and prints those that it takes for right, which hit
// finds.
type scanner struct {
	name string
	line func(at target, list string) []string
	hit  *regexp.Regexp
	done string // that it prints when it has tried all
}

// users and list are files. Each tries eight at once, and stays within what a test may take.
var scanners = []scanner{
	{"hydra", func(at target, list string) []string {
		return []string{"hydra", "-I", "-t", "8", "-W", "0", "-s", at.port, "-l", alice.Name, "-P", list, "rexec://" + at.host}
	}, regexp.MustCompile(`\[rexec\] host: .* login: \S+ +password: (.*)`), "finished"},
	{"medusa", func(at target, list string) []string {
		return []string{"medusa", "-h", at.host, "-n", at.port, "-u", alice.Name, "-P", list, "-M", "rexec", "-t", "8", "-r", "0", "-R", "0"}
	}, regexp.MustCompile(`ACCOUNT FOUND: .* Password: (.*) \[SUCCESS`), "ACCOUNT CHECK"},
	{"nmap's rexec-brute", func(at target, list string) []string {
		return []string{"nmap", "-n", "-Pn", "-sT", "-p", at.port, "--script", "rexec-brute", "--script-args",
			"userdb=/tmp/users,brute.threads=8,brute.retries=1,brute.mode=user,unpwdb.timelimit=0,passdb=" + list, at.host}
	}, regexp.MustCompile(alice.Name + `:(.*) - Valid credentials`), "Statistics: "},
}

// guesses writes a list of wrong passwords, and the right one if there is to be one.
func guesses(t *testing.T, wrong int, right ...string) string {
	t.Helper()
	words := slices.Clone(right)
	for n := range wrong {
		words = append(words, fmt.Sprintf("wrong%d", n))
	}
	slices.Reverse(words)
	path := t.TempDir() + "/list"
	for file, text := range map[string]string{path: strings.Join(words, "\n") + "\n", "/tmp/users": alice.Name + "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// scan runs the scanner and returns what it found.
func (s scanner) scan(t *testing.T, at target, list string) []string {
	t.Helper()
	got := runFor(t, 2*time.Minute, "", "", s.line(at, list)...)
	if !strings.Contains(got.out+got.err, s.done) {
		t.Errorf("%q is not in its output: it has not scanned", s.done)
	}
	found := []string{}
	for _, m := range s.hit.FindAllStringSubmatch(got.out, -1) {
		found = append(found, strings.TrimSpace(m[1]))
	}
	t.Logf("after %v: %.3000s%.1000s", got.took.Round(time.Second/10), got.out, got.err)
	return found
}

// Somebody reads what a scanner prints: an answer that it takes for a success costs a password
// change, and trust.
func TestNoScannerFindsAPasswordThatIsWrong(t *testing.T) {
	t.Parallel()
	prepare(t)
	quiet := "[penalties]\nenabled = false\n"
	for _, c := range []struct {
		name  string
		open  func(t *testing.T) target
		wrong int
		right []string
	}{
		{"a hundred wrong ones and the right one", func(t *testing.T) target { return exec512(t, quiet) }, 100, []string{alice.Password}},
		{"a source that has to wait", func(t *testing.T) target { return exec512(t, harsh) }, 100, nil},
		{"too many connections of a source", func(t *testing.T) target {
			return supervise(t, lab.Room{Files: map[string]string{"/etc/rexecd.toml": quiet}}, "512", "-max-per-source", "2")
		}, 40, nil}, // medusa waits for each of the two
	} {
		for _, s := range scanners {
			t.Run(c.name+", "+s.name, func(t *testing.T) {
				t.Parallel()
				if found := s.scan(t, c.open(t), guesses(t, c.wrong, c.right...)); !slices.Equal(found, append([]string{}, c.right...)) {
					t.Errorf("found %q; want %q", found, c.right)
				}
			})
		}
	}
}

// exec512 serves on port 512, by which nmap knows what to try.
func exec512(t *testing.T, settings string) target {
	t.Helper()
	_, at := handle(t, lab.Handler{Path: lab.Server(t), Settings: settings, Address: address(t), Port: 512})
	return at
}
