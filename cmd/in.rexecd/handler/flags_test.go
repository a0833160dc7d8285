package handler

import (
	"strings"
	"testing"

	"rexecd/pkg/rexecd"
)

var program = &Program{Name: "in.rexecd", Ignored: []string{"c", "D", "s"}, Config: rexecd.NewConfig}

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
		if got, err := program.parseFlags(strings.Fields(tt.args)); err != nil || got != tt.want {
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
		o, err := program.parseFlags(strings.Fields(tt.args))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parseFlags(%q) = %+v, %v; want an error with %q", tt.args, o, err, tt.want)
		}
	}
}

func TestAFlagOfRexecdNamesTheProgramThatTakesIt(t *testing.T) {
	for _, flag := range []string{"-check", "-debug", "-effective", "-install", "-json", "-listen", "-max", "-max-per-source", "-penalties", "-remove", "-standby"} {
		want := "in.rexecd serves one connection; use rexecd " + flag
		for _, args := range [][]string{{flag}, {"-" + flag}, {"-m", flag + "=3"}} {
			if o, err := program.parseFlags(args); err == nil || err.Error() != want {
				t.Errorf("parseFlags(%q) = %+v, %v; want %q", args, o, err, want)
			}
		}
	}
}
