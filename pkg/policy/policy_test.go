package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func text(s string) *string { return &s }

// compileAll makes rules that must be right.
func compileAll(t testing.TB, list ...Rule) Rules {
	t.Helper()
	for i := range list {
		list[i].Place = fmt.Sprintf("FILE:%d", i+1)
	}
	rules, err := Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// alice asks for a command as a rule may see it.
func alice(command string) *Request {
	return &Request{
		Service: "rexec", User: "alice", Groups: []string{"staff"},
		From: netip.MustParseAddr("192.0.2.7"), To: netip.MustParseAddr("192.0.2.10"), Command: command, Certificate: "ops-1",
	}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	rules := compileAll(t,
		Rule{Name: "bob", User: []string{"bob"}},
		Rule{Name: "night", User: []string{"alice"}, Command: text("halt"), Deny: true},
		Rule{User: []string{"a*"}, Command: text("id|halt"), Session: Session{NoShell: true}},
		Rule{Name: "last", User: []string{"a*"}, Deny: true},
	)
	for _, tt := range []struct{ user, command, want string }{
		{"bob", "anything; at all", `true rule "bob" (FILE:1) []`},
		{"alice", "halt", `false rule "night" (FILE:2) [user]`},
		{"alice", "id", `true rule "3" (FILE:3) [user command]`},
		{"anna", "halt", `true rule "3" (FILE:3) [user user]`},
		{"alice", "id;halt", `false rule "last" (FILE:4) [user command command]`},
		{"carol", "id", `false no rule matches [user user user user]`},
	} {
		q := alice(tt.command)
		q.User = tt.user
		d := rules.Decide(q)
		if got := fmt.Sprint(d.Allowed, " ", d, " ", d.Skipped); got != tt.want {
			t.Errorf("%s, %q: %s; want %s", tt.user, tt.command, got, tt.want)
		}
	}
}

func TestWithoutRulesEverythingIsAllowed(t *testing.T) {
	for _, rules := range []Rules{nil, {}} {
		if d := rules.Decide(alice("x; y")); !d.Allowed || d.Rule != nil || d.Words != nil {
			t.Errorf("%+v", d)
		}
	}
}

func TestARuleThatWasNotCompiledLetsNobodyIn(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it decided")
		}
	}()
	Rules{{}}.Decide(alice("id"))
}

func TestEachCriterionMatches(t *testing.T) {
	for _, tt := range []struct {
		rule  Rule
		match bool
	}{
		{Rule{}, true},
		{Rule{Service: []string{"rexec"}}, true},
		{Rule{Service: []string{"rsh"}}, false},
		{Rule{User: []string{"alice"}}, true},
		{Rule{User: []string{"Alice"}}, false},
		{Rule{User: []string{"a*e"}}, true},
		{Rule{User: []string{"*"}}, true},
		{Rule{User: []string{"????"}}, false},
		{Rule{User: []string{"?????"}}, true},
		{Rule{User: []string{"a*", "!alice"}}, false},
		{Rule{User: []string{"!alice", "a*"}}, false},
		{Rule{User: []string{"!bob"}}, true},
		{Rule{User: []string{"!alice"}}, false},
		{Rule{User: []string{"bob", "!carol"}}, false},
		{Rule{User: []string{"@staff"}}, true},
		{Rule{User: []string{"@staf*"}}, false},
		{Rule{User: []string{"staff"}}, false},
		{Rule{User: []string{"*", "!@staff"}}, false},
		{Rule{User: []string{"*", "!@wheel"}}, true},
		{Rule{From: []string{"192.0.2.0/24"}}, true},
		{Rule{From: []string{"192.0.2.7"}}, true},
		{Rule{From: []string{"192.0.2.0/24", "!192.0.2.7"}}, false},
		{Rule{From: []string{"!192.0.2.8"}}, true},
		{Rule{From: []string{"2001:db8::/32"}}, false},
		{Rule{To: []string{"192.0.2.10"}}, true},
		{Rule{To: []string{"192.0.2.7"}}, false},
		{Rule{Certificate: []string{"ops-?"}}, true},
		{Rule{Certificate: []string{"!dev-*"}}, true},
		{Rule{Certificate: []string{"*", "!ops-1"}}, false},
		{Rule{Certificate: []string{"ops"}}, false},
		{Rule{User: []string{"alice"}, From: []string{"192.0.2.8"}}, false},
		{Rule{Deny: true, Command: text("ec.*")}, true},
		{Rule{Deny: true, Command: text("cho")}, false},
	} {
		d := compileAll(t, tt.rule).Decide(alice("echo hello"))
		if got := d.Rule != nil; got != tt.match {
			t.Errorf("%+v: %v, %v", tt.rule, got, d.Skipped)
		}
	}
}

func TestAnAddressThatIsNotKnownIsInNoList(t *testing.T) {
	for _, from := range [][]string{{"0.0.0.0/0", "::/0"}, {"!192.0.2.7"}} {
		q := alice("id")
		q.From = netip.Addr{}
		if d := compileAll(t, Rule{From: from}).Decide(q); d.Allowed {
			t.Errorf("%q matches no address", from)
		}
	}
	q := alice("id")
	q.From = netip.MustParseAddr("::ffff:192.0.2.7")
	if d := compileAll(t, Rule{From: []string{"192.0.2.7"}}).Decide(q); !d.Allowed {
		t.Error("IPv4 in IPv6 notation is another address")
	}
}

// Nothing before or after what a pattern names, and every byte counts.
func TestAPatternMatchesWholeCommandsByteByByte(t *testing.T) {
	for _, tt := range []struct {
		pattern, command string
		want             bool
	}{
		{"id", "id", true}, {"id", "id ", false}, {"id", "id\n", false}, {"id", "\nid", false}, {"id", "id\x00", false}, {"id", "id\x00x", false},
		{"^id$", "id", true}, {"^id$", "id\n", false}, {"(?m)^id$", "id\nrm", false}, {"(?m)^id$", "rm\nid", false},
		{"id|uname", "uname", true}, {"id|uname", "id; uname", false}, {"id|uname", "xuname", false},
		{"echo .*", "echo a\nb\x00c", true}, {"(?-s)echo .*", "echo a\nb", false},
		{"echo .", "echo \xff", true}, {"echo .", "echo \xc3\xa9", false}, {"echo ..", "echo \xc3\xa9", true},
		{`echo \xe9`, "echo \xe9", true}, {`echo \xe9`, "echo \xc3\xa9", false}, {`echo \xff`, "echo \xfe", false},
		{"echo [^;]*", "echo \xff;", false}, {"[a-z]+", "ab\xffc", false}, {"[[:print:]]*", "a\x80", false},
		{`\w+`, "a\xb5", false}, {"(?i)ID", "iD", true}, {"(?i)k", "\u212a", false}, {"", "", true}, {"", "x", false},
		{`\Qa.b\E`, "a.b", true}, {`\Qa.b\E`, "axb", false}, {`\Qa)|(.*`, "a)|(.*", true}, {`\Qa)|(.*`, "x", false},
	} {
		rules := compileAll(t, Rule{Deny: true, Command: &tt.pattern})
		if got := rules.Decide(alice(tt.command)).Rule != nil; got != tt.want {
			t.Errorf("%q, %q: %v", tt.pattern, tt.command, got)
		}
	}
}

func TestMistakesInRulesAreNamed(t *testing.T) {
	yes := true
	for _, tt := range []struct {
		rule Rule
		want string // key and part of the reason
	}{
		{Rule{Name: "deny"}, "name: must be letters"},
		{Rule{Name: "a b"}, "name: must be letters"},
		{Rule{Name: "1"}, "name: is that of rule 1"},
		{Rule{Service: []string{"ssh"}}, `service: must be a list of "rexec" and "rsh"`},
		{Rule{User: []string{""}}, `user: has "": must be names`},
		{Rule{User: []string{"!@"}}, `user: has "!@": must be names`},
		{Rule{User: []string{"!!x"}}, `user: has "!!x": must be names`},
		{Rule{User: []string{"! x"}}, `user: has "! x": must be names`},
		{Rule{User: []string{"@domain users "}}, `user: has "@domain users ": must be names`},
		{Rule{From: []string{"192.0.2.9/24"}}, `from: has "192.0.2.9/24": has bits after its prefix: the network is 192.0.2.0/24`},
		{Rule{From: []string{"host"}}, `from: has "host": must be an address`},
		{Rule{From: []string{"fe80::1%eth0"}}, `from: has "fe80::1%eth0": must be an address`},
		{Rule{To: []string{"::ffff:192.0.2.9"}}, `to: has "::ffff:192.0.2.9": write IPv4`},
		{Rule{Command: text("id")}, "command: is no boundary for what a shell reads: "},
		{Rule{Deny: true, Command: text("a)|(b")}, "command: is no regular expression (RE2): unexpected )"},
		{Rule{Deny: true, Command: text("a(?:b")}, "command: is no regular expression (RE2): missing closing )"},
		{Rule{Deny: true, Command: text(`\x{fffd}`)}, "command: is no regular expression (RE2): invalid escape sequence, as no byte"},
		{Rule{Deny: true, Command: text(strings.Repeat("(", 1001) + "a" + strings.Repeat(")", 1001))},
			"command: is no regular expression"},
		{Rule{Deny: true, Command: text(`a(?=b)`)}, "command: is no regular expression"},
		{Rule{Deny: true, Command: text(`((a{1000}){1000}){1000}`)}, "command: is no regular expression"},
		{Rule{Deny: true, Command: text("caf\u00e9")}, `command: is matched byte by byte: write what is not ASCII as its bytes, as in \xc3\xa9`},
		{Rule{Deny: true, Command: text("\xff")}, "command: is matched byte by byte"},
		{Rule{Deny: true, Session: Session{Run: "x"}}, `run: has no meaning with action = "deny"`},
		{Rule{Deny: true, Session: Session{TimeLimit: time.Second}}, "time_limit: has no meaning"},
		{Rule{Session: Session{Run: "a\x00b"}}, "run: has a NUL"},
		{Rule{Session: Session{Run: "a | b", NoShell: true}}, `run: cannot be executed without a shell: '|' outside quotes`},
		{Rule{Session: Session{Run: "a", LoginShell: &yes}}, "login_shell: would have the user's profile run"},
		{Rule{Session: Session{NoShell: true, LoginShell: &yes}}, "login_shell: would have the user's profile run"},
		{Rule{Session: Session{Environment: map[string]string{"LD_PRELOAD": "x"}}}, `environment: has "LD_PRELOAD": `},
		{Rule{Session: Session{Environment: map[string]string{"REXEC_CLIENT": "x"}}}, `environment: has "REXEC_CLIENT": `},
		{Rule{Session: Session{Environment: map[string]string{"A=B": "x"}}}, `environment: has "A=B": `},
		{Rule{Session: Session{Environment: map[string]string{"BASH_FUNC_id%%": "() { x; }"}}}, `environment: has "BASH_FUNC_id%%": `},
		{Rule{Session: Session{Environment: map[string]string{"LANG": "a\x00b"}}}, `environment: has "LANG": `},
	} {
		_, err := Compile([]Rule{{Name: ""}, tt.rule})
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Rule != 1 || !strings.HasPrefix(wrong.Key+": "+wrong.Reason, tt.want) {
			t.Errorf("%+v: %v; want %s", tt.rule, err, tt.want)
		}
	}
}

func TestWhatIsExecutedWithoutAShell(t *testing.T) {
	rules := compileAll(t,
		Rule{User: []string{"bob"}, Session: Session{NoShell: true, Run: "/opt/gate 'a b'"}},
		Rule{Session: Session{NoShell: true}},
	)
	q := alice("x; y")
	q.User = "bob"
	if d := rules.Decide(q); !d.Allowed || fmt.Sprintf("%q", d.Words) != `["/opt/gate" "a b"]` {
		t.Errorf("a forced command: %+v", d)
	}
	if d := rules.Decide(alice("ls 'a;b'")); !d.Allowed || fmt.Sprintf("%q", d.Words) != `["ls" "a;b"]` {
		t.Errorf("a command: %+v", d)
	}
	// The rule that matches decides: one that cannot be split is not the next rule's.
	d := rules.Decide(alice("x; y"))
	if want := `rule "2" (FILE:2): ';' outside quotes means something to a shell, and there is none`; d.Allowed || d.Words != nil || d.String() != want {
		t.Errorf("%v %s; want %s", d.Allowed, d, want)
	}
}

func TestGroupsAreThoseThatTheRulesName(t *testing.T) {
	rules := compileAll(t, Rule{User: []string{"@a", "b", "!@c", "@d"}}, Rule{User: []string{"@a", "@e"}},
		Rule{User: []string{"@d"}, Deny: true})
	if got := fmt.Sprint(rules.Groups()); got != "[{a false} {c true} {d true} {e false}]" {
		t.Error(got)
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{0, 10, 1000} {
		list := make([]Rule, n)
		for i := range list {
			list[i] = Rule{User: []string{"b*"}, From: []string{"192.0.2.0/24"}, Command: text("/opt/jobs/[a-z]+( [a-z]+)*"), Session: Session{NoShell: true}}
		}
		b.Run(fmt.Sprint("compile ", n), func(b *testing.B) {
			for b.Loop() {
				for i := range list {
					list[i].Name = ""
				}
				if _, err := Compile(list); err != nil {
					b.Fatal(err)
				}
			}
		})
		rules := compileAll(b, list...)
		b.Run(fmt.Sprint("decide ", n), func(b *testing.B) {
			for b.Loop() {
				rules.Decide(alice("/opt/jobs/run a"))
			}
		})
	}
}
