package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

const denied = "\x01Permission denied.\n"

// gate makes a program outside every user's reach that shows how it was started.
func gate(t *testing.T) string {
	t.Helper()
	dir := openDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return write(t, dir+"/gate", "#!/bin/sh\nprintf '<%s>' \"$0\" \"$@\"\nprintf ' %s' \"$REXEC_ORIGINAL_COMMAND\"\n")
}

// Everything that makes one command of a shell into two, or into another.
func TestNoSpellingOfACommandGetsPastItsRule(t *testing.T) {
	t.Parallel()
	u, g := newUser(t, lab.User{}), gate(t)
	s := serve(t, lab.Handler{Settings: fmt.Sprintf("[[rule]]\nuser = [%q]\ncommand = '%s( [^-]*)?'\nshell = false\n", u.Name, g)})
	for command, words := range map[string]string{
		g: "", g + " a  b": "<a><b>", g + " 'a;b' \"c|d\" \\$e": "<a;b><c|d><$e>", g + " '\nid'": "<\nid>", g + " \xff\x80": "<\xff\x80>", g + " '$(id)'": "<$(id)>",
	} {
		want(t, s.Addr, request(u, command), "\x00<"+g+">"+words+" ")
	}
	touched := openDir(t) + "/touched"
	for _, more := range []string{
		"; touch ", " ; touch ", "\ntouch ", " & touch ", " | touch ", " && touch ", " || touch ", " $(touch ", " `touch ", " >", " < /dev/null >", " \"$(touch \"",
		" {a,b} > ", " ~", " *", " ?", " [a]", " #", " !", " 'a", " \"a", " a\\\n", " (", " )", "; #", "\r\ntouch ", "\xff;touch ", " -x", "\x0b;touch ",
	} {
		want(t, s.Addr, request(u, g+more+touched), denied)
		want(t, s.Addr, request(u, more+touched+"; "+g), denied)
	}
	for _, command := range []string{"", " ", "'" + g + "'", "A=1 " + g, "exec " + g, "\x01" + g, "\n" + g, g + "\n", "//" + g, "./" + g, g + "x", "sh -c " + g} {
		want(t, s.Addr, request(u, command), denied)
	}
	// What follows the command's NUL is its input.
	if a := lab.AskRaw(t, s.Addr, append(request(u, g).Bytes(), "; touch "+touched+"\x00"...)); a.Out() != "<"+g+"> " {
		t.Errorf("%v", a)
	}
	if exists(touched) {
		t.Error("a second command ran")
	}
}

// The user's own files are no part of a forced command, nor is what the user asks for.
func TestAForcedCommandIsAllThatRuns(t *testing.T) {
	t.Parallel()
	u, g := newUser(t, lab.User{Shell: "/bin/bash"}), gate(t)
	home := "/home/" + u.Name
	for _, file := range []string{".bashrc", ".bash_profile", ".profile", ".bash_login", ".env", ".kshrc", ".zshenv", ".shrc"} {
		write(t, home+"/"+file, "echo from "+file+"\n")
	}
	write(t, home+"/sh", "#!/bin/bash\necho another sh\n")
	// The trap itself: what bash does with its input a network connection.
	if got := out(t, serve(t, lab.Handler{}).Addr, request(u, "echo hello")); !strings.Contains(got, "from .bashrc") {
		t.Errorf("bash did not read ~/.bashrc (%q): the test proves nothing", got)
	}
	want(t, serve(t, lab.Handler{Settings: "[[rule]]\ninput = 'none'\n"}).Addr, request(u, "echo hello"), "\x00hello\n") // as the manual says
	for _, set := range []string{"", "login_shell = true\n"} {
		for _, shell := range []string{"", "shell = false\n"} {
			s := serve(t, lab.Handler{Settings: set + fmt.Sprintf("[[rule]]\nrun = '%s forced'\n%s", g, shell)})
			for _, command := range []string{"id", "; id", "exec bash", "\nid", "", "$(id)", "\xff\x01"} {
				want(t, s.Addr, request(u, command), "\x00<"+g+"><forced> "+command)
			}
		}
	}
}

// Nor when bash is what runs: it reads ~/.bashrc unless it believes that another shell started it.
func TestBashInAForcedCommandReadsNoFileOfTheUsers(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{Shell: "/bin/bash"})
	write(t, "/home/"+u.Name+"/.bashrc", "echo mine\n")
	for settings, command := range map[string]string{
		"run = 'bash -c \"echo forced\"'\n":                                "id",
		"run = 'bash -c \"echo forced\"'\nshell = false\n":                 "id",
		"command = 'bash -c \"echo [a-z]+\"'\nshell = false\n":             "bash -c \"echo forced\"",
		"run = 'bash -c \"bash -c \\\"echo forced\\\"\"'\n":                "id",
		"environment = { SHLVL = '0' }\nrun = 'bash -c \"echo forced\"'\n": "id",
	} {
		want(t, serve(t, lab.Handler{Settings: "[[rule]]\n" + settings}).Addr, request(u, command), "\x00forced\n")
	}
}

// An account whose shell lets nobody in is not let in by a rule that does without the shell.
func TestARuleDoesNotPassByTheShellThatRefuses(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"/usr/sbin/nologin", "/bin/false", "/nowhere"} {
		u := newUser(t, lab.User{Shell: shell})
		for _, settings := range []string{"shell = false\n", "run = 'id -un'\n", "run = 'id -un'\nshell = false\n", "command = 'id -un'\nshell = false\n"} {
			s := serve(t, lab.Handler{Settings: "[[rule]]\n" + settings})
			want(t, s.Addr, request(u, "id -un"), denied)
			s.Log.Wait(t, fmt.Sprintf("the account's shell %q, which shells(5) does not list", shell))
		}
	}
	u := newUser(t, lab.User{Shell: "/bin/bash"})
	want(t, serve(t, lab.Handler{Settings: "[[rule]]\nshell = false\n"}).Addr, request(u, "id -un"), "\x00"+u.Name+"\n")
}

// A directory that cannot be reached does not say that nobody is in a group.
func TestAGroupThatCannotBeLookedUpExcludesNobodyByAccident(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	libc, err := filepath.Glob("/lib/*/libc.so.6")
	if err != nil || len(libc) != 1 {
		t.Fatalf("libc: %q, %v", libc, err)
	}
	lab.Run(t, "cc", "-shared", "-fPIC", "-o", filepath.Dir(libc[0])+"/libnss_down.so.2", "testdata/nss-down.c")
	const gate = "user = ['@contractors']\nrun = 'echo gate'\n[[rule]]\n"
	// Red Hat's order is the second: there, the files answer that they have no such group.
	for order, reason := range map[string]string{"files down": "look up group: ", "down files": "no such group", "files": "no such group"} {
		room := lab.Room{Files: map[string]string{"/etc/nsswitch.conf": "passwd: files\ngroup: " + order + "\nshadow: files\n"}}
		for _, rules := range []string{
			"user = ['@contractors']\naction = 'deny'\n[[rule]]\n", "user = ['!@contractors']\n", gate + "user = ['!@contractors']\n", gate,
		} {
			s := serve(t, lab.Handler{Room: room, Settings: "[[rule]]\n" + rules})
			if rules == gate && reason == "no such group" { // who is in none is only not let in by it
				want(t, s.Addr, request(u, "echo in"), "\x00in\n")
				continue
			}
			want(t, s.Addr, request(u, "echo in"), "\x01Try again.\n")
			s.Log.Wait(t, `group "contractors": `+reason)
		}
	}
}

// A program is found in PATH's absolute directories, which the user has no say in.
func TestTheUserDoesNotChooseTheProgram(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	home := "/home/" + u.Name
	if err := os.Mkdir(home+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{home + "/id", home + "/bin/id", home + "/bin/sh"} {
		write(t, file, "#!/bin/sh\necho mine\n")
	}
	write(t, home+"/.pam_environment", "PATH="+home+"/bin\nLD_PRELOAD="+home+"/x.so\n")
	base := fmt.Sprintf("[[rule]]\nuser = [%q]\ncommand = 'id -u'\nshell = false\n", u.Name)
	uid := strings.TrimSpace(lab.Run(t, "id", "-u", u.Name))
	for _, path := range []string{"", "environment = { PATH = '.:bin::/usr/bin:/bin' }"} {
		want(t, serve(t, lab.Handler{Settings: base + path}).Addr, request(u, "id -u"), "\x00"+uid+"\n")
	}
	for _, path := range []string{"''", "'.:'", "'bin'", "'/nowhere'"} {
		a := lab.Ask(t, serve(t, lab.Handler{Settings: base + "environment = { PATH = " + path + " }"}).Addr, request(u, "id -u"))
		if string(a.All) != "\x00id: No such file or directory\n" {
			t.Errorf("PATH = %s: %v", path, a)
		}
	}
}

// The user's name and the source count as the host knows them, not as they are sent.
func TestRulesSeeTheAccountAndThePeersOwnAddress(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	lab.Run(t, "groupadd", "-f", "rulesgroup")
	lab.Run(t, "usermod", "-aG", "rulesgroup", u.Name)
	s := serve(t, lab.Handler{Address: "192.0.2.1", Settings: "[[rule]]\nname = 'off'\nfrom = ['198.51.100.9']\naction = 'deny'\n" +
		"[[rule]]\nuser = ['@rulesgroup']\nfrom = ['192.0.2.0/24', '198.51.100.0/24', '!192.0.2.66']\nto = ['192.0.2.1']\n"})
	for _, tt := range []struct {
		from, want string
		user       lab.User
	}{
		{"192.0.2.5", "\x00in\n", u}, {"198.51.100.8", "\x00in\n", u},
		{"192.0.2.66", denied, u}, {"198.51.100.9", denied, u}, {"203.0.113.5", denied, u}, {"192.0.2.5", denied, other},
	} {
		if got := ask(t, tt.from, s.Addr, request(tt.user, "echo in")); got != tt.want {
			t.Errorf("%s from %s: %q; want %q", tt.user.Name, tt.from, got, tt.want)
		}
	}
	// A wrong password is one, whatever the rules: a stranger learns nothing of them.
	u.Password = "wrong"
	if got := ask(t, "198.51.100.9", s.Addr, request(u, "echo in")); got != "\x01Login incorrect.\n" {
		t.Errorf("a wrong password where a rule denies: %q", got)
	}
}

func TestADenialIsLoggedAndOpensNoSession(t *testing.T) {
	t.Parallel()
	u, dir := newUser(t, lab.User{}), openDir(t)
	opened := write(t, dir+"/opened", "#!/bin/sh\necho $PAM_TYPE >>"+dir+"/sessions\n")
	room := lab.Room{Stack: "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_exec.so quiet " + opened + "\n"}
	s := serve(t, lab.Handler{Room: room, Settings: "\n[[rule]]\nname = 'night'\naction = 'deny'\nuser = ['" + u.Name + "']\n[penalties]\nenabled = true\n"})
	quickest := time.Hour
	for range 10 { // no penalty, no delay
		began := time.Now()
		want(t, s.Addr, request(u, "id"), denied)
		quickest = min(quickest, time.Since(began))
	}
	if quickest > 1900*time.Millisecond {
		t.Errorf("each answer took %v or more: as long as a wrong password's", quickest)
	}
	message := s.Log.Wait(t, "Refused "+u.Name)["MESSAGE"]
	if !strings.Contains(message, `: rule "night" (`) || !strings.Contains(message, "/rexecd.toml:2)") {
		t.Errorf("the record is %q", message)
	}
	allGone(t, s)
	if exists(dir + "/sessions") {
		t.Error("a session was opened for a denied user")
	}
}

func TestAThousandRulesAndHostilePatterns(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	var rules strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&rules, "[[rule]]\nname = 'r%d'\nuser = ['*', '!x*y*z']\ncommand = '(a*)*(b|b?)*(.*){5}%d'\nshell = false\n", i, i)
	}
	s := serve(t, lab.Handler{Settings: rules.String() + "[[rule]]\nname = 'last'\n"})
	began := time.Now()
	want(t, s.Addr, request(u, "echo "+strings.Repeat("a", 500)), "\x00"+strings.Repeat("a", 500)+"\n")
	t.Logf("a thousand rules took %v", time.Since(began))
	if m := s.Log.Wait(t, "Accepted password for "+u.Name)["MESSAGE"]; !strings.Contains(m, `: rule "last"`) {
		t.Errorf("the record is %q", m)
	}
	// The longest command there is, over patterns that a backtracking matcher would never end with:
	// the grace time ends what takes too long, and the rules never fail open.
	s = serve(t, lab.Handler{Settings: "grace = 5\n" + rules.String()})
	if a := lab.Ask(t, s.Addr, request(u, strings.Repeat("a", 131071))); a.Status() == 0 {
		t.Errorf("%v", a)
	}
	allGone(t, s)
}
