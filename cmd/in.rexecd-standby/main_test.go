package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestFlagsAreThoseThatTheServerPasses(t *testing.T) {
	for _, tt := range []struct {
		args string // separated by |
		want options
	}{
		{"-idle|4|-max|10|-max-per-source|2|-listen||-debug=false|--|/usr/sbin/in.rexecd|in.rexecd|-config|/x",
			options{idle: 4, max: 10, perSource: 2, handler: []string{"/usr/sbin/in.rexecd", "in.rexecd", "-config", "/x"}}},
		{"-idle|0|-listen|:512|-debug=true|-say|one|-say|two words|--|/s|s|-debug",
			options{listen: ":512", debug: true, say: []string{"one", "two words"}, handler: []string{"/s", "s", "-debug"}}},
	} {
		if got, err := parseFlags(strings.Split(tt.args, "|")); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("parseFlags(%s) = %+v, %v; want %+v", tt.args, got, err, tt.want)
		}
	}
}

func TestStartedByHandItSaysHowItIsMeant(t *testing.T) {
	for _, args := range []string{"", "-idle 2", "-idle two -- /s s", "-standby 2", "-idle 2 -- /s"} {
		if o, err := parseFlags(strings.Fields(args)); err == nil {
			t.Errorf("parseFlags(%s) = %+v; want an error", args, o)
		}
	}
	if !strings.Contains(usage, "in.rexecd -standby") {
		t.Errorf("usage: %s", usage)
	}
}
