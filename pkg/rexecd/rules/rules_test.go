package rules

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/policy"
	"rexecd/pkg/settings"
)

// read reads a text as rexecd.toml, and replaces the file's path in errors by FILE.
func read(t *testing.T, text string) (policy.Rules, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, from, err := settings.ReadServer(file)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := New(set, from)
	if err != nil {
		err = errorText(strings.ReplaceAll(err.Error(), file, "FILE"))
	}
	for i := range rules {
		rules[i].Place = strings.ReplaceAll(rules[i].Place, file, "FILE")
	}
	return rules, err
}

type errorText string

func (e errorText) Error() string { return string(e) }

func TestEverySettingReachesItsRule(t *testing.T) {
	yes, no, command := true, false, "id"
	got, err := read(t, `
[[rule]]
name = "batch"
service = ["rexec"]
user = ["batch*"]
from = ["192.0.2.0/24"]
to = ["192.0.2.10"]
certificate = ["ops-*"]
command = "id"
run = "/opt/jobs/gate"
shell = false
environment = { LANG = "C" }
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
`)
	if err != nil {
		t.Fatal(err)
	}
	exit := "/etc/rexec/validate"
	want := []policy.Rule{{
		Name: "batch", Place: "FILE:2", Service: []string{"rexec"}, User: []string{"batch*"},
		From: []string{"192.0.2.0/24"}, To: []string{"192.0.2.10"}, Certificate: []string{"ops-*"}, Command: &command,
		Session: policy.Session{
			Run: "/opt/jobs/gate", NoShell: true, Environment: map[string]string{"LANG": "C"}, NoInput: true, TimeLimit: 2 * time.Hour,
			Sessions: 4, Exit: &exit, LogCommand: &yes, LoginShell: &no, Hangup: &yes, CloseOnExit: &yes,
		},
	}, {Name: "2", Place: "FILE:21", Deny: true}}
	for i := range want {
		got, want := reflect.ValueOf(got[i]), reflect.ValueOf(want[i])
		for f := range got.NumField() {
			field := got.Type().Field(f)
			if field.IsExported() && !reflect.DeepEqual(got.Field(f).Interface(), want.Field(f).Interface()) {
				t.Errorf("rule %d: %s is %+v; want %+v", i+1, field.Name, got.Field(f), want.Field(f))
			}
		}
	}
	s := reflect.ValueOf(want[0].Session)
	for f := range s.NumField() {
		if s.Field(f).IsZero() {
			t.Errorf("%s has no value in this test", s.Type().Field(f).Name)
		}
	}
}

func TestAMistakeInARuleIsOneOfTheFile(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"[[rule]]\n\n  command = 'id'", "FILE:3:3: rule.command is no boundary for what a shell reads: ;, | or $( in an argument start other commands. Add shell = false, which executes the words as they are, or run"},
		{"[[rule]]\nfrom = ['192.0.2.9/24']", `FILE:2:1: rule.from has "192.0.2.9/24": has bits after its prefix: the network is 192.0.2.0/24`},
		{"[[rule]]\n[[rule]]\nname = '1'", "FILE:3:1: rule.name is that of rule 1"},
		{"[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'", "FILE:4:1: rule.name is that of rule 1"},
		{"[[rule]]\naction = 'deny'\nrun = 'x'", `FILE:3:1: rule.run has no meaning with action = "deny"`},
		{"[[rule]]\n[rule.environment]\nLD_PRELOAD = 'x'", `FILE:1:3: rule.environment has "LD_PRELOAD": `},
	} {
		if _, err := read(t, tt.text); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestAFileProvesItsRulesByItsTests(t *testing.T) {
	const file = `
[[rule]]
name = "off"
user = ["bob"]
action = "deny"
[[rule]]
name = "batch"
user = ["@jobs"]
from = ["192.0.2.0/24"]
command = '/opt/jobs/[a-z]+( .*)?'
shell = false
[[rule]]
to = ["192.0.2.10"]
[[test]]
user = "alice"
from = "192.0.2.7"
groups = ["jobs"]
`
	for _, tt := range []struct{ test, want string }{
		{`command = "/opt/jobs/a"` + "\n" + `expect = "batch"`, ""},
		{`command = "/opt/jobs/a ;"` + "\n" + `expect = "deny"`, ""},
		{`expect = "deny"`, ""},
		{`to = "192.0.2.10"` + "\n" + `expect = "3"`, ""},
		{"expect = 'deny'\n[[test]]\nuser = 'bob'\nfrom = '::1'\nexpect = 'off'", ""},
		{"expect = 'deny'\n[[test]]\nuser = 'bob'\nfrom = '::1'\nexpect = 'deny'", ""},
		{`command = "/opt/jobs/a ;"` + "\n" + `expect = "batch"`, `FILE:19:1: test.expect = "batch": rule "batch" (FILE:6): ';' outside quotes means something to a shell, and there is none denies "alice" from 192.0.2.7 "/opt/jobs/a ;"`},
		{`expect = "batch"`, `FILE:18:1: test.expect = "batch": no rule matches denies "alice" from 192.0.2.7 ""`},
		{`to = "192.0.2.10"` + "\n" + `expect = "deny"`, `FILE:19:1: test.expect = "deny": rule "3" (FILE:12) allows "alice"`},
		{`expect = "bach"`, `FILE:18:1: test.expect = "bach": there is no such rule`},
		{``, `FILE:14:3: test.expect is missing: the name of a rule, or "deny"`},
		{"expect = 'deny'\nto = 'x'", `FILE:19:1: test.to must be an address`},
		{"expect = 'deny'\nservice = 'ssh'", `FILE:19:1: test.service must be "rexec" or "rsh"`},
		{"expect = 'deny'\n[[test]]", `FILE:19:3: test.user is missing`},
		{"expect = 'deny'\n[[test]]\nuser = 'a'\nexpect = 'deny'", `FILE:19:3: test.from must be an address`},
	} {
		_, err := read(t, file+tt.test)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s:\n got %v\nwant %s", tt.test, err, tt.want)
		}
	}
}
