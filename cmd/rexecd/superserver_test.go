package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheOptionsOfAnEntryAreJudgedAsTheServerWould(t *testing.T) {
	for _, c := range []struct {
		server, args string
		wait         bool
		want         string // "": they are right
	}{
		{"/usr/sbin/in.rexecd", "", false, ""},
		{"/usr/sbin/in.rexecd", "-m -n -c -D -s -S -config /etc/other.toml", false, ""},
		{"/usr/sbin/in.rexecd", "-x", false, "flag provided but not defined: -x"},
		{"/usr/sbin/in.rexecd", "-mn", false, "flag provided but not defined: -mn"},
		{"/usr/sbin/in.rexecd", "surplus", false, `unexpected argument "surplus"`},
		{"/usr/sbin/in.rexecd", "-max 3", false, "-max: only with -standby or -debug"},
		{"/usr/sbin/in.rexecd", "-standby 2", false, `in.rexecd serves one connection: "-standby 2" is for rexecd`},
		{"/usr/sbin/in.rexecd", "-version", false, "in.rexecd -version does not serve a connection"},
		{"/usr/sbin/in.rexecd", "", true, `"wait" hands over the listening socket`},
		{"/usr/sbin/rexecd", "-m -s", false, ""},
		{"/usr/sbin/rexecd", "-standby 2 -max 3", true, ""},
		{"/usr/sbin/rexecd", "-standby 2", false, `"nowait" hands over one connection`},
		{"/usr/sbin/rexecd", "-standby 0", true, "-standby 0: it takes a number from 1 to 1000"},
		{"/usr/sbin/rexecd", "-check", false, "rexecd -check does not serve a connection"},
	} {
		err := wrongArgs(c.server, strings.Fields(c.args), c.wait)
		if (err != nil) != (c.want != "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s, wait %v: %v; want %q", c.server, c.args, c.wait, err, c.want)
		}
	}
}

// The flags that this program takes for those of in.rexecd are those of in.rexecd.
func TestTheServersFlagsAreKnownHere(t *testing.T) {
	source, err := os.ReadFile("../in.rexecd/handler/flags.go")
	if err != nil {
		t.Fatal(err)
	}
	internal := []string{"version", "console", "stderr", "worker", "refuse", "single", "explain", "certificate", "record", "l"} // -l is in.rshd's
	var theirs []string
	for _, m := range regexp.MustCompile(`f\.\w+Var\(&o\.\w+, "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !slices.Contains(internal, m[1]) {
			theirs = append(theirs, m[1])
		}
	}
	theirs = append(theirs, "c", "D", "s")
	if mine := slices.Sorted(slices.Values(served)); !slices.Equal(mine, slices.Sorted(slices.Values(theirs))) {
		t.Errorf("flags %q; in.rexecd has %q", mine, theirs)
	}
}

func TestWhatSystemctlShowsOfExecStartIsRead(t *testing.T) {
	path, args := parseExecStart("{ path=/usr/sbin/rexecd ; argv[]=/usr/sbin/rexecd -standby 4 -max 512 ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n")
	if path != "/usr/sbin/rexecd" || strings.Join(args, " ") != "-standby 4 -max 512" {
		t.Errorf("parseExecStart = %q, %q", path, args)
	}
	if path, args := parseExecStart("\n"); path != "" || args != nil {
		t.Errorf("of nothing: %q, %q", path, args)
	}
}
