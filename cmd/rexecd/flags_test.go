package main

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestFlagsAreThoseOfTheManual(t *testing.T) {
	for _, tt := range []struct {
		args string
		want options
	}{
		{"", options{}},
		{"-m -n -s -S -c -D", options{closeOnExit: true, noKeepAlive: true, noRoot: true}}, // from inetd.conf
		{"-debug", options{debug: true}},
		{"-debug -listen 127.0.0.1:5120", options{debug: true, listen: "127.0.0.1:5120"}},
		{"-listen=:512 -debug -m", options{debug: true, listen: ":512", closeOnExit: true}},
		{"-standby 4 -max 10 -max-per-source 2 -n", options{standby: 4, max: 10, perSource: 2, noKeepAlive: true}},
		{"--standby=1 -debug -config /x", options{standby: 1, debug: true, config: "/x"}},
		{"-check", options{check: true}},
		{"-check -config /x", options{check: true, config: "/x"}},
		{"-check -json", options{check: true, json: true}},
		{"-check -effective -json -config /x", options{check: true, effective: true, json: true, config: "/x"}},
		{"-config=/x", options{config: "/x"}},
		{"-install", options{install: true}},
		{"-install -check=false", options{install: true}},
		{"-remove", options{remove: true}},
		{"-version", options{version: true}},
		{"-penalties", options{penalties: true}},
		{"-penalties clear 192.0.2.7", options{penalties: true, args: []string{"clear", "192.0.2.7"}}},
		{"-explain rsh 192.0.2.7 id", options{explain: true, args: []string{"rsh", "192.0.2.7", "id"}}},
		{"-explain rsh rsh 192.0.2.7 id", options{explain: true, service: "rsh", args: []string{"rsh", "192.0.2.7", "id"}}},
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
		{"-config", "-config"},
		{"-penalties list", `unexpected argument "list": rexecd -penalties lists`},
		{"-check extra", `unexpected argument "extra"`},
		{"-standby -1", "-standby -1: it takes a number from 1 to 1000"},
		{"-standby 0", "-standby 0: it takes a number from 1 to 1000"},
		{"-standby 1001", "-standby 1001: it takes a number from 1 to 1000"},
		{"-standby x", "-standby"},
		{"-debug -max -1", "-max"},
		{"-m=maybe", "-m"},
	} {
		if o, err := parseFlags(strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parseFlags(%q) = %+v, %v; want an error with %q", tt.args, o, err, tt.want)
		}
	}
}

func TestFlagsThatContradictEachOtherAreBothNamed(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-check -install", "-install does not go with -check"},
		{"-remove -install", "-install does not go with -remove"},
		{"-standby 2 -check", "-check does not go with -standby"},
		{"-standby 2 -install", "-install does not go with -standby"},
		{"-penalties -check", "-check does not go with -penalties"},
		{"-debug -penalties", "-penalties does not go with -debug"},
		{"-install -config /x", "-install does not go with -config"},
		{"-install -m", "-install does not go with -m"},
		{"-remove -listen :512 -max 3", "-remove does not go with -listen, -max"},
		{"-check -version", "-version does not go with -check"},
		{"-effective", "-effective: only with -check"},
		{"-json -config /x", "-json: only with -check or -report"},
		{"-penalties -json", "-penalties does not go with -json"},
		{"-listen :512", "-listen: only with -standby or -debug"},
		{"-m -max 3 -max-per-source 0", "-max and -max-per-source: only with -standby or -debug"},
	} {
		if o, err := parseFlags(strings.Fields(tt.args)); err == nil || err.Error() != tt.want {
			t.Errorf("parseFlags(%q) = %+v, %v; want %q", tt.args, o, err, tt.want)
		}
	}
}

func TestUsageAndManualNameEveryFlag(t *testing.T) {
	manual, err := os.ReadFile("rexecd.8")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"debug", "listen", "check", "json", "effective", "install", "remove", "config", "version", "standby", "max", "max-per-source", "penalties"} {
		if !strings.Contains(usage, "-"+name) {
			t.Errorf("usage does not name -%s", name)
		}
		if !strings.Contains(string(manual), "Fl "+name) {
			t.Errorf("rexecd.8 does not name -%s", name)
		}
	}
}

func TestHandlersGetTheFlagsThatAreTheirs(t *testing.T) {
	for _, tt := range []struct{ args, want []string }{
		{[]string{}, []string{}},
		{[]string{"-debug"}, []string{"-console"}},
		{[]string{"-debug", "-listen", ":512", "-m"}, []string{"-m", "-console"}},
		{[]string{"-standby", "4", "-max", "10", "-config", "/a directory/x"}, []string{"-config", "/a directory/x"}},
		{[]string{"-n", "-c", "-s", "-S", "-D"}, []string{"-n", "-S"}},
	} {
		o, err := parseFlags(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := o.handlerArgs(), append([]string{"in.rexecd"}, tt.want...); !reflect.DeepEqual(got, want) {
			t.Errorf("handlerArgs of %q = %q; want %q", tt.args, got, want)
		}
	}
}
