package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestARuleSaysHowItsSessionsAre(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	rule := "[[rule]]\nuser = ['" + u.Name + "']\n"
	// Its environment, and no input: the command's is at its end, and the client's is dropped.
	for _, s := range counting(t, rule+"input = 'none'\nenvironment = { LANG = 'de_DE.ISO-8859-1', PATH = '/bin' }\n") {
		a := lab.Ask(t, s.addr, request(u, "cat; echo $LANG $PATH; readlink /proc/self/fd/0"), make([]byte, 1<<20)...)
		if a.Err != nil || string(a.All) != "\x00de_DE.ISO-8859-1 /bin\n/dev/null\n" {
			t.Errorf("%v", a)
		}
	}
	// Its log.
	s := serve(t, lab.Handler{Settings: rule + "log_command = true\n"})
	wantOut(t, s.Addr, request(u, "echo logged"), "logged\n")
	if got := s.Log.Wait(t, "Accepted password for "+u.Name)["MESSAGE"]; !strings.HasSuffix(got, `: rule "1": command "echo logged"`) {
		t.Errorf("the record is %q", got)
	}
	s = serve(t, lab.Handler{Settings: "log_command = true\n" + rule + "log_command = false\nlogin_shell = true\n"})
	wantOut(t, s.Addr, request(u, "echo $0"), "-sh\n")
	if got := s.Log.Wait(t, "Accepted password for "+u.Name)["MESSAGE"]; strings.Contains(got, "echo") {
		t.Errorf("the record is %q", got)
	}
}

// The exit program of a rule is asked in place of everybody's, and told the rule. Its
// command is split as the client's would be.
func TestARuleHasItsOwnExitProgram(t *testing.T) {
	t.Parallel()
	u, dir := newUser(t, lab.User{}), openDir(t)
	ask := func(name, script string) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := fmt.Sprintf("exit = %q\n[[rule]]\nname = 'own'\nshell = false\nexit = %q\n", ask("all", "exit 1"), ask("own", `echo "$REXEC_COMMAND $REXEC_RULE 'x  y'"`))
	s := serve(t, lab.Handler{Settings: text})
	wantOut(t, s.Addr, request(u, "printf '<%s>'"), "<own><x  y>")
	none := serve(t, lab.Handler{Settings: fmt.Sprintf("exit = %q\n[[rule]]\nexit = ''\n", dir+"/all")})
	wantOut(t, none.Addr, request(u, "echo unasked"), "unasked\n")
	s = serve(t, lab.Handler{Settings: fmt.Sprintf("[[rule]]\nshell = false\nexit = %q\n", ask("bad", "echo 'id; id'"))})
	wantAll(t, s.Addr, request(u, "id"), "\x01Try again.\n")
	s.Log.Wait(t, "outside quotes means something to a shell")
}

// What fits into no variable is reported as a shell that cannot be started is.
func TestAnOverlongCommandIsNoForcedCommandsBusiness(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "[[rule]]\nrun = 'echo ${#REXEC_ORIGINAL_COMMAND}'\n"})
	wantOut(t, s.Addr, request(u, strings.Repeat("x", 131048)), "131048\n")
	wantOut(t, s.Addr, request(u, strings.Repeat("x", 131049)), "/bin/sh: Argument list too long\n")
}

func TestARuleCountsTheSessionsOfEachUser(t *testing.T) {
	t.Parallel()
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "[[rule]]\nname = 'one-at-a-time'\ncommand = 'cat'\nshell = false\nsessions = 1\n[[rule]]\nname = 'rest'\n"})
	first := lab.Open(t, s.Addr, u.Name, u.Password, "cat").Started(t)
	wantAll(t, s.Addr, request(u, "cat"), "\x01Try again.\n")
	s.Log.Wait(t, "rule.one-at-a-time = 1: all places are taken")
	wantOut(t, s.Addr, request(u, "echo rest"), "rest\n")
	wantOut(t, s.Addr, request(other, "cat"), "")
	first.Primary.Close()
	first.Stderr.Close()
	s.Log.Wait(t, "Session closed for "+u.Name)
}

func TestATimeLimitEndsTheCommandAndIsLogged(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, s := range counting(t, "[[rule]]\nrun = 'echo begun; sleep 1000 & sleep 1000; echo late'\ntime_limit = 1\n") {
		wantOut(t, s.addr, request(u, ""), "begun\n")
		got := s.log.Wait(t, "Session closed for "+u.Name)["MESSAGE"]
		if !strings.Contains(got, ": killed by signal 15 (TERM) after ") || !strings.HasSuffix(got, ": time_limit of 1s reached") {
			t.Errorf("the record is %q", got)
		}
	}
}

// Nothing is translated by the server, so the manual has a rule that does it.
func TestTheManualsRuleTranslatesTheOutput(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	_, rule, _ := strings.Cut(read("../../cmd/rexecd/rexecd.toml.5"), ".Sh NOT BUILT")
	_, rule, _ = strings.Cut(rule, "[[rule]]\n")
	rule, _, found := strings.Cut(rule, ".Ed\n")
	if !found {
		t.Fatal("the manual has no such rule")
	}
	rule = strings.Replace("[[rule]]\n"+rule, "192.0.2.0/24", "127.0.0.0/8", 1)
	for _, s := range counting(t, strings.ReplaceAll(rule, `\e`, `\`)) {
		wantOut(t, s.addr, request(u, `printf '\303\251;%s\n' "$0"; exit 3`), "\xe9;sh\n")
	}
}

func TestAFileWhoseTestsFailServesNobody(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	text := "[[rule]]\nname = 'all'\n[[test]]\nuser = 'x'\nfrom = '::1'\nexpect = 'deny'\n"
	s := serve(t, lab.Handler{Settings: text})
	wantAll(t, s.Addr, request(u, "echo no"), "\x01Try again.\n")
	if m := s.Log.Wait(t, "Configuration error")["MESSAGE"]; !strings.Contains(m, `rexecd.toml:6:1: test.expect = "deny": rule "all" (`) {
		t.Errorf("the record is %q", m)
	}
	file := openDir(t) + "/rexecd.toml"
	for text, want := range map[string]string{text: file + ":6:1: test.expect", strings.Replace(text, "'deny'", "'all'", 1): "ok   settings: 1 rules, with 1 tests; what matches none of them is denied"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if stdout, _, _ := run(t, exec.Command(lab.Rexecd(t), "-check", "-config", file)); !strings.Contains(stdout, want) {
			t.Errorf("-check said %q; want %q", stdout, want)
		}
	}
}

// What -explain says is what the server does, cold and waiting.
func TestTheExplanationIsWhatHappens(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	settings := fmt.Sprintf("[[rule]]\nname = 'off'\nuser = ['nobody']\naction = 'deny'\n[[rule]]\nname = 'words'\nuser = [%q]\ncommand = 'printf .*'\nshell = false\n", u.Name)
	file := openDir(t) + "/rexecd.toml"
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, lab.Handler{Settings: settings})
	for _, tt := range []struct {
		user, command, answer, explained string
		status                           int
	}{
		{u.Name, "printf %s 'a;b'", "\x00a;b", "argv: [\"printf\" \"%s\" \"a;b\"]\n", 0},
		{u.Name, "printf a;b", "\x01Permission denied.\n", "rule \"words\" (" + file + ":5): matches: denies, as there is ';' outside quotes", 1},
		{u.Name, "id", "\x01Permission denied.\n", "rule \"words\" (" + file + ":5): does not match: command does not match \"printf .*\"\nrules: none matches: denied\n", 1},
		{"nobody", "id", "", "rule \"off\" (" + file + ":1): matches: denies\n", 1},
		{"no-such-user", "id", "", "", 2},
	} {
		if tt.answer != "" {
			wantAll(t, s.Addr, request(u, tt.command), tt.answer)
		}
		stdout, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-explain", "-config", file, tt.user, "127.0.0.1", tt.command))
		if !strings.Contains(stdout, tt.explained) || status != tt.status || (status == 2) == (stderr == "") {
			t.Errorf("%s, %q: status %d\n%s%s", tt.user, tt.command, status, stdout, stderr)
		}
	}
	if _, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-explain", "-config", file, "root", "host", "id")); status != 2 || !strings.Contains(stderr, `"host": it takes the client's address`) {
		t.Errorf("a name for an address: status %d, %q", status, stderr)
	}
}

func TestAWaitingProcessDecidesAsOneThatIsStartedForTheConnection(t *testing.T) {
	t.Parallel()
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	lab.Run(t, "groupadd", "-f", "standbygroup")
	lab.Run(t, "usermod", "-aG", "standbygroup", u.Name)
	room := lab.Room{Files: map[string]string{"/etc/rexecd.toml": "[[rule]]\nuser = ['@standbygroup']\ncommand = 'printf .*'\nshell = false\ninput = 'none'\n[penalties]\nenabled = false\n"}}
	s := stand(t, room, lab.Rexecd(t), nil, "-standby", "2")
	for range 3 {
		wantAll(t, s.addr, request(u, "printf 'a;b'"), "\x00a;b")
		wantAll(t, s.addr, request(u, "printf a;b"), "\x01Permission denied.\n")
		wantAll(t, s.addr, request(other, "printf a"), "\x01Permission denied.\n")
	}
}

// A connection is never explained to: the flag is for a terminal.
func TestAnExplanationIsNotForAPeer(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Args: []string{"-explain", "root", "127.0.0.1", "id"}})
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "\x00")
	if answer, _ := io.ReadAll(c); string(answer) != "\x01Try again.\n" {
		t.Errorf("the peer got %q", answer)
	}
}
