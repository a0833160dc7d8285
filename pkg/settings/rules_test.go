package settings

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const everyRuleSetting = `
[[rule]]
name = "batch"
service = ["rexec"]
user = ["batch*", "@operators", "!batch7"]
from = ["192.0.2.0/24", "!192.0.2.9"]
to = ["192.0.2.10"]
certificate = ["ops-*"]
command = ''
action = "allow"
run = "/opt/jobs/gate"
shell = false
environment = { LANG = "de_DE.ISO-8859-1" }
input = "none"
time_limit = "2h"
sessions = 4
exit = "/etc/rexec/validate"
log_command = true
login_shell = false
on_disconnect = "hangup"
close_on_exit = true
[[rule]]
action = "deny"
[rule.environment]
A = "1"
B = "2"
[[test]]
service = "rsh"
user = "batch1"
groups = ["a", "b"]
from = "192.0.2.7"
to = "192.0.2.10"
certificate = "ops-1"
command = "x"
expect = "batch"
`

func TestEverySettingOfARuleIsRead(t *testing.T) {
	yes, no, none := true, false, ""
	got, _, err := decodeServer(everyRuleSetting)
	if err != nil {
		t.Fatal(err)
	}
	exit := "/etc/rexec/validate"
	rules := []Rule{{
		Name: "batch", Service: []string{"rexec"}, User: []string{"batch*", "@operators", "!batch7"}, From: []string{"192.0.2.0/24", "!192.0.2.9"},
		To: []string{"192.0.2.10"}, Certificate: []string{"ops-*"}, Command: &none, Action: Allow, Run: "/opt/jobs/gate", Shell: &no,
		Environment: map[string]string{"LANG": "de_DE.ISO-8859-1"}, Input: NoInput, TimeLimit: 2 * time.Hour, Sessions: 4, Exit: &exit,
		LogCommand: &yes, LoginShell: &no, OnDisconnect: Hangup, CloseOnExit: &yes,
	}, {Action: Deny, Environment: map[string]string{"A": "1", "B": "2"}}}
	tests := []Test{{"rsh", "batch1", []string{"a", "b"}, "192.0.2.7", "192.0.2.10", "ops-1", "x", "batch"}}
	if !reflect.DeepEqual(got.Rules, rules) || !reflect.DeepEqual(got.Tests, tests) {
		t.Errorf("got %+v, %+v", got.Rules, got.Tests)
	}
	for _, v := range []reflect.Value{reflect.ValueOf(rules[0]), reflect.ValueOf(tests[0])} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s has no value in this test", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
}

func TestEverySettingOfARuleHasAPlace(t *testing.T) {
	s, from, err := decodeServer(everyRuleSetting)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(everyRuleSetting, "\n")
	for _, k := range s.Rules[0].keys() {
		o := from.Place("rule", 0, k.name)
		if k.table == nil && (o.File != "FILE" || o.Column != 1 || !strings.HasPrefix(lines[o.Line-1], k.name+" = ")) {
			t.Errorf("%s is in %v", k.name, o)
		}
	}
	for _, tt := range []struct {
		list    string
		element int
		key     string
		line    int
	}{{"rule", 0, "nothing", 2}, {"rule", 1, "action", 23}, {"rule", 1, "user", 22}, {"test", 0, "expect", 35}, {"test", 0, "x", 27}} {
		if o := from.Place(tt.list, tt.element, tt.key); o.Line != tt.line {
			t.Errorf("%s %d %s: line %d; want %d", tt.list, tt.element, tt.key, o.Line, tt.line)
		}
	}
	// A later file's list has places of its own.
	keys := s.keys()
	if err := from.decode("LATER", []byte("\n\n[[rule]]\nname = 'x'\n"), keys); err != nil {
		t.Fatal(err)
	}
	if o := from.Place("rule", 0, "user"); o != (Origin{"LATER", 3, 3}) {
		t.Errorf("a setting of the replaced list is in %v", o)
	}
}

func TestMistakesInARuleNameTheirPlace(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"user = 'alice'", `1:8: rule.user = "alice": must be a list of strings`},
		{"user = []", `1:8: rule.user = a list: must be a list of strings, as in ["a", "b"], with at least one`},
		{"user = ['a', '']", `1:14: rule.user = [""]: must be a list`},
		{"from = [1]", `1:9: rule.from = [1]: must be a list`},
		{"name = ''", `1:8: rule.name = "": must be a name`},
		{"command = 1", `1:11: rule.command = 1: must be a string`},
		{"action = 'drop'", `1:10: rule.action = "drop": must be "allow" or "deny"`},
		{"shell = 'no'", `1:9: rule.shell = "no": must be true or false`},
		{"input = ''", `1:9: rule.input = "": must be "client" or "none"`},
		{"time_limit = 0", `1:14: rule.time_limit = 0: must be a time from 1s`},
		{"sessions = 0", `1:12: rule.sessions = 0: must be a number from 1`},
		{"environment = 'A=1'", `1:15: rule.environment = "A=1": must be a table`},
		{"environment = {A = 1}", `1:20: rule.environment.A = 1: must be a string`},
		{"environment = {A = '1', A = '2'}", `1:25: rule.environment.A is defined twice`},
		{"on_disconnect = 'x'", `1:17: rule.on_disconnect = "x": must be "continue" or "hangup"`},
	} {
		want := "FILE:2" + strings.TrimPrefix(tt.want, "1")
		if _, _, err := decodeServer("[[rule]]\n" + tt.text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", tt.text, err, want)
		}
	}
}
