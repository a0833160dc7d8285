package rexecd

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/inetd"
	"rexecd/pkg/passwd"
	"rexecd/pkg/policy"
)

// What random rules and requests are made of: each criterion matches now and then.
var (
	users    = []string{"root", "nobody", "daemon"}
	userPats = []string{"root", "r*", "*o*", "n?body", "@root", "@daemon", "@mail", "!daemon", "!@root", "*"}
	networks = []string{"192.0.2.0/24", "192.0.2.7", "!192.0.2.7", "2001:db8::/32", "!2001:db8::1", "0.0.0.0/0", "::/0"}
	peers    = []string{"192.0.2.7", "192.0.2.8", "198.51.100.1", "2001:db8::1", "2001:db8::2"}
	patterns = []string{"id", ".*", "/opt/.*", `echo( [a-z\x80-\xff]+)*`, "(?i)ID", `[^;]+`, ""}
	commands = []string{"id", "ID", "id\n", "id; id", "", "echo a b", "echo \xe9", "echo 'a;b'", "/opt/x 'y z'", "/opt/x $HOME", "bin/x", "echo a\nid"}
	runs     = []string{"", "", "/opt/gate", "gate 'a b'"}
)

func some(r *rand.Rand, from []string) []string {
	if r.IntN(2) == 0 {
		return nil
	}
	var list []string
	for range 1 + r.IntN(3) {
		list = append(list, from[r.IntN(len(from))])
	}
	return list
}

func maybe(r *rand.Rand) *bool {
	on := r.IntN(2) == 0
	return []*bool{nil, &on}[r.IntN(2)]
}

// randomRules makes rules that a file could have.
func randomRules(t *testing.T, r *rand.Rand) policy.Rules {
	t.Helper()
	list := make([]policy.Rule, r.IntN(6))
	for i := range list {
		rule := policy.Rule{
			Place: fmt.Sprintf("FILE:%d", i+1), User: some(r, userPats),
			From: some(r, networks), To: some(r, networks), Deny: r.IntN(4) == 0,
		}
		rule.Service = [][]string{nil, {"rexec"}, {"rsh"}, {"rsh", "rexec"}}[r.IntN(4)]
		if !rule.Deny {
			rule.Session = policy.Session{
				Run: runs[r.IntN(len(runs))], NoShell: r.IntN(2) == 0, NoInput: r.IntN(2) == 0,
				LogCommand: maybe(r), Hangup: maybe(r), CloseOnExit: maybe(r),
				TimeLimit:   []time.Duration{0, time.Minute}[r.IntN(2)],
				Environment: []map[string]string{nil, {"LANG": "C", "PATH": "/opt:x"}}[r.IntN(2)],
			}
			if rule.Run == "" && !rule.NoShell {
				rule.LoginShell = maybe(r)
			}
		}
		if r.IntN(2) == 0 && (rule.Deny || rule.NoShell || rule.Run != "") {
			rule.Command = &patterns[r.IntN(len(patterns))]
		}
		list[i] = rule
	}
	rules, err := policy.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// decides is the rules' law once more, in other words.
func decides(rules policy.Rules, account *passwd.Entry, groups []string, from, to netip.Addr, command string) int {
	in := func(list []string, one func(text string) bool) bool {
		only, found := true, false
		for _, text := range list {
			text, not := strings.CutPrefix(text, "!")
			if not && one(text) {
				return false
			}
			only, found = only && not, found || !not && one(text)
		}
		return found || only
	}
	within := func(addr netip.Addr) func(string) bool {
		return func(text string) bool {
			if network, err := netip.ParsePrefix(text); err == nil {
				return network.Contains(addr)
			}
			return netip.MustParseAddr(text) == addr
		}
	}
	return slices.IndexFunc(rules, func(r policy.Rule) bool {
		user := func(text string) bool {
			group, is := strings.CutPrefix(text, "@")
			ok, _ := path.Match(text, account.Name)
			return is && slices.Contains(groups, group) || !is && ok
		}
		if r.Command != nil {
			var characters []rune
			for _, b := range []byte(command) {
				characters = append(characters, rune(b))
			}
			if !regexp.MustCompile(`(?s)^(?:` + *r.Command + `)$`).MatchString(string(characters)) {
				return false
			}
		}
		service := r.Service == nil || slices.Contains(r.Service, "rexec")
		return service && in(r.User, user) && in(r.From, within(from)) && in(r.To, within(to))
	})
}

// The server's step and -explain are asked the same, and a third who knows the law.
func TestTheServerAndItsExplanationAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	allowed := 0
	for i := range 10_000 {
		s := &Server{Config: DefaultConfig()}
		s.Config.Rules, s.Config.PermitRoot = randomRules(t, r), true
		account, err := passwd.Lookup(users[r.IntN(len(users))])
		if err != nil {
			t.Fatal(err)
		}
		from, to := peers[r.IntN(len(peers))], peers[r.IntN(len(peers))]
		conn := &inetd.Conn{
			Peer:  netip.AddrPortFrom(netip.MustParseAddr(from), 999),
			Local: netip.AddrPortFrom(netip.MustParseAddr(to), 512),
		}
		command := commands[r.IntN(len(commands))]
		groups := []string{map[string]string{"root": "root", "daemon": "daemon", "nobody": "nogroup"}[account.Name]}

		text, ok, err := s.Explain(account.Name, conn.Peer.Addr(), conn.Local.Addr(), "", command)
		if err != nil {
			t.Fatal(err)
		}
		grace := &deadline{at: time.Now().Add(time.Hour)}
		ruling, err := s.decide(command, account, &userSession{attempt: &attempt{}}, conn, grace)
		if ok != (err == nil) {
			t.Fatalf("case %d: the server says %v, and -explain\n%s", i, err, text)
		}
		decisive := decides(s.Config.Rules, account, groups, conn.Peer.Addr(), conn.Local.Addr(), command)
		before := decisive // rules that do not match
		if decisive < 0 {
			before = len(s.Config.Rules)
		}
		want := "rules: none matches: denied\n"
		switch {
		case len(s.Config.Rules) == 0:
			want = "rules: none: everything is allowed\n"
		case decisive >= 0:
			want = fmt.Sprintf("rule %q (FILE:%d): matches: ", s.Config.Rules[decisive].Name, decisive+1)
		}
		if !strings.Contains("\n"+text, "\n"+want) || strings.Count(text, "does not match: ") != before {
			t.Fatalf("case %d: %q, %q: want %s\n%s", i, account.Name, command, want, text)
		}
		if err != nil {
			if refusal := asRefusal(err); refusal.public != "Permission denied." || refusal.delayed || refusal.offence != noOffence {
				t.Fatalf("case %d: %+v", i, refusal)
			}
			continue
		}
		allowed++
		c := ruling.program(account, conn.Peer.Addr().String()+" PORT 512", nil)
		for _, line := range []string{
			fmt.Sprintf("user: %q, uid %d, gid %d\n", account.Name, c.UID, c.GID), fmt.Sprintf("argv: %q\n", c.Argv),
			fmt.Sprintf("path: %q\n", append([]string{c.Shell}, c.Others...)), fmt.Sprintf("environment: %q\n", c.Env),
		} {
			if !strings.Contains(text, "\n"+line) {
				t.Fatalf("case %d: -explain does not have %s:\n%s", i, line, text)
			}
		}
	}
	if allowed < 1000 || allowed > 9000 {
		t.Errorf("%d of 10,000 were allowed: the cases are one-sided", allowed)
	}
}

func TestARuleSaysWhatIsExecuted(t *testing.T) {
	account := &passwd.Entry{Name: "alice", UID: 1000, GID: 1000, Home: "/home/alice", Shell: "/bin/bash"}
	yes := true
	for _, tt := range []struct {
		session       policy.Session
		command, want string // path, argv
	}{
		{policy.Session{}, "a; b", `/bin/bash [] ["bash" "-c" "a; b"]`},
		{policy.Session{LoginShell: &yes}, "a", `/bin/bash [] ["-bash" "-c" "a"]`},
		{policy.Session{Run: "gate | x"}, "a; b", `/bin/sh [] ["sh" "-c" "gate | x"]`},
		{policy.Session{NoShell: true}, "ls 'a b'", `/usr/local/bin/ls ["/usr/bin/ls" "/bin/ls"] ["ls" "a b"]`},
		{policy.Session{NoShell: true}, "/opt/x y", `/opt/x [] ["/opt/x" "y"]`},
		{policy.Session{NoShell: true}, "./x y", `/home/alice/./x [] ["./x" "y"]`},
		{policy.Session{NoShell: true, Run: "/opt/gate 'a b'"}, "a; b", `/opt/gate [] ["/opt/gate" "a b"]`},
		{policy.Session{NoShell: true, Environment: map[string]string{"PATH": ".:"}}, "ls", ` [] ["ls"]`},
	} {
		s := &Server{Config: DefaultConfig()}
		rules, err := policy.Compile([]policy.Rule{{Session: tt.session}})
		if err != nil {
			t.Fatal(err)
		}
		s.Config.Rules = rules
		r := s.rule(&policy.Request{Command: tt.command}, &passwd.Entry{})
		c := r.program(account, "192.0.2.7 1 512", []string{"REXEC_ORIGINAL_COMMAND=forged", "A=1"})
		if got := fmt.Sprintf("%s %q %q", c.Shell, c.Others, c.Argv); got != tt.want {
			t.Errorf("%+v: %s; want %s", tt.session, got, tt.want)
		}
		var original []string
		for _, v := range c.Env {
			if strings.HasPrefix(v, "REXEC_ORIGINAL_COMMAND=") {
				original = append(original, v)
			}
		}
		var want []string
		if tt.session.Run != "" {
			want = []string{"REXEC_ORIGINAL_COMMAND=" + tt.command}
		}
		if !slices.Equal(original, want) {
			t.Errorf("%+v: %q", tt.session, original)
		}
	}
}

// The settings of all sessions hold where the rule says nothing, and not for what
// it prescribes: a login shell reads the user's profile.
func TestARuleOverridesTheSettingsOfAllSessions(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		session policy.Session
		want    string
	}{
		{policy.Session{}, "true -sh 1 1"},
		{policy.Session{LogCommand: &no, LoginShell: &no, Hangup: &no, CloseOnExit: &no}, "false sh 0 0"},
		{policy.Session{LogCommand: &yes, LoginShell: &yes, Hangup: &yes, CloseOnExit: &yes}, "true -sh 1 1"},
		{policy.Session{Run: "x"}, "true sh 1 1"},
	} {
		rules, err := policy.Compile([]policy.Rule{{Session: tt.session}})
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{Config: Config{
			LogCommand: true, LoginShell: true, OnDisconnect: Hangup, OnExit: Shutdown, Rules: rules,
		}}
		r := s.rule(&policy.Request{}, &passwd.Entry{})
		shell := r.program(&passwd.Entry{}, "", nil).Argv[0]
		if got := fmt.Sprint(r.logCommand, " ", shell, " ", r.onDisconnect, r.onExit); got != tt.want {
			t.Errorf("%+v: %s; want %s", tt.session, got, tt.want)
		}
	}
}
