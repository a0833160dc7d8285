package main

import (
	"os"
	"reflect"
	"slices"
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
		{"-m -n -s -S -c -D", options{closeOnExit: true, noKeepAlive: true}},
		{"--m", options{closeOnExit: true}},
		{"-s", options{}}, {"-S", options{}}, {"-c", options{}}, {"-D", options{}},
		{"-debug", options{debug: true}},
		{"-debug -listen 127.0.0.1:5120", options{debug: true, listen: "127.0.0.1:5120"}},
		{"-listen=:512 -debug", options{debug: true, listen: ":512"}},
		{"-standby 4 -max 10 -max-per-source 2", options{standby: 4, max: 10, perSource: 2}},
		{"-check", options{check: true}},
		{"-check -config /x", options{check: true, config: "/x"}},
		{"-config=/x", options{config: "/x"}},
		{"-install", options{install: true}},
		{"-remove", options{remove: true}},
		{"-version", options{version: true}},
		{"-penalties", options{penalties: true}},
		{"-penalties clear 192.0.2.7", options{penalties: true, args: []string{"clear", "192.0.2.7"}}},
		{"-h", options{help: true}},
		{"-help", options{help: true}},
	} {
		got, err := parseFlags(strings.Fields(tt.args))
		if len(got.args) == 0 {
			got.args = nil
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("parseFlags(%q) = %+v, %v; want %+v", tt.args, got, err, tt.want)
		}
	}
}

func TestAWrongFlagNamesItself(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-x", "flag provided but not defined: -x"},
		{"-mn", "-mn"},
		{"-listen :512", "-listen"},
		{"-max 3", "-max"},
		{"-config", "-config"},
		{"-m extra", `unexpected argument "extra"`},
		{"-standby -1", "-standby"},
		{"-standby 1001", "-standby"},
		{"-standby x", "-standby"},
		{"-m=maybe", "-m"},
	} {
		if o, err := parseFlags(strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parseFlags(%q) = %+v, %v; want an error with %q", tt.args, o, err, tt.want)
		}
	}
}

func TestUsageAndManualNameEveryFlag(t *testing.T) {
	manual, err := os.ReadFile("in.rexecd.8")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"debug", "listen", "check", "install", "remove", "config", "version", "standby", "max", "max-per-source", "penalties"} {
		if !strings.Contains(usage, "-"+name) {
			t.Errorf("usage does not name -%s", name)
		}
		if !strings.Contains(strings.ReplaceAll(string(manual), `\-`, "-"), name) {
			t.Errorf("in.rexecd.8 does not name -%s", name)
		}
	}
}

func TestHandlersGetTheFlagsThatAreTheirs(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"in.rexecd", "in.rexecd"},
		{"in.rexecd -debug", "in.rexecd -debug"},
		{"in.rexecd -debug -listen :512 -m", "in.rexecd -debug -m"},
		{"in.rexecd -debug -listen=:512 -n", "in.rexecd -debug -n"},
		{"in.rexecd --listen :512 -debug", "in.rexecd -debug"},
		{"in.rexecd -standby 4 -max 10 -max-per-source=2 -config /x", "in.rexecd -config /x"},
		{"in.rexecd -debug -config listen -m", "in.rexecd -debug -config listen -m"},
		{"listen -debug", "listen -debug"},
		{"in.rexecd -debug -listen", "in.rexecd -debug"},
	} {
		args := strings.Fields(tt.args)
		before := slices.Clone(args)
		if got := handlerArgs(args); strings.Join(got, " ") != tt.want {
			t.Errorf("handlerArgs(%q) = %q; want %q", tt.args, got, tt.want)
		}
		if !slices.Equal(args, before) {
			t.Errorf("handlerArgs(%q) changed its argument to %q", before, args)
		}
		o, err := parseFlags(strings.Fields(tt.want)[1:])
		if err != nil || o.listen != "" || o.standby != 0 {
			t.Errorf("a handler started with %q: %+v, %v", tt.want, o, err)
		}
	}
}
