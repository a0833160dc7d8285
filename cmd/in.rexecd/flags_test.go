package main

import (
	"os"
	"strings"
	"testing"
)

func TestFlagsAreThoseOfTheManual(t *testing.T) {
	for _, tt := range []struct {
		args string
		want options
	}{
		{"", options{}},
		{"-m", options{closeOnExit: true}},
		{"-n", options{noKeepAlive: true}},
		{"-m -n -s -S -c -D", options{closeOnExit: true, noKeepAlive: true, noRoot: true}},
		{"--m", options{closeOnExit: true}},
		{"-s", options{}}, {"-S", options{noRoot: true}}, {"-c", options{}}, {"-D", options{}},
		{"-config=/x", options{config: "/x"}},
		{"-version", options{version: true}},
		{"-h", options{help: true}},
		{"-help", options{help: true}},
		{"-worker 2 -console", options{listeners: 2, console: true}},
		{"-refuse", options{refuse: true}},
		{"-record", options{record: true}},
	} {
		if got, err := parseFlags(strings.Fields(tt.args)); err != nil || got != tt.want {
			t.Errorf("parseFlags(%q) = %+v, %v; want %+v", tt.args, got, err, tt.want)
		}
	}
}

func TestAWrongFlagNamesItself(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-x", "flag provided but not defined: -x"},
		{"-mn", "-mn"},
		{"-config", "-config"},
		{"-m extra", `unexpected argument "extra"`},
		{"-worker -1", "-worker"},
		{"-m=maybe", "-m"},
	} {
		if o, err := parseFlags(strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parseFlags(%q) = %+v, %v; want an error with %q", tt.args, o, err, tt.want)
		}
	}
}

func TestAFlagOfRexecdNamesTheProgramThatTakesIt(t *testing.T) {
	for _, flag := range []string{"-check", "-debug", "-effective", "-install", "-json", "-listen", "-max", "-max-per-source", "-penalties", "-remove", "-standby"} {
		want := "in.rexecd serves one connection; use rexecd " + flag
		for _, args := range [][]string{{flag}, {"-" + flag}, {"-m", flag + "=3"}} {
			if o, err := parseFlags(args); err == nil || err.Error() != want {
				t.Errorf("parseFlags(%q) = %+v, %v; want %q", args, o, err, want)
			}
		}
	}
}

func TestUsageAndManualNameEveryFlag(t *testing.T) {
	manual, err := os.ReadFile("in.rexecd.8")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config", "version", "m", "n", "c", "D", "s", "S"} {
		if !strings.Contains(usage, "-"+name) && name != "n" {
			t.Errorf("usage does not name -%s", name)
		}
		if !strings.Contains(string(manual), name) {
			t.Errorf("in.rexecd.8 does not name -%s", name)
		}
	}
}
