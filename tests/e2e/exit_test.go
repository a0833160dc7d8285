package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// exits starts servers with an exit program.
func exits(t *testing.T, program, more string) map[string]struct {
	addr string
	log  *lab.Log
} {
	t.Helper()
	return counting(t, "exit = '"+script(t, program)+"'\n"+more)
}

func TestAnExitProgramDecidesAboutTheCommand(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	program := `case $REXEC_COMMAND in
go*) exit 0 ;;
other) echo "echo another one; id -un" ;;
unended) printf 'echo unended' ;;
empty) echo ;;
two) echo one; echo two ;;
nul) printf 'id\0id\n' ;;
no) echo "Ask the operator."; echo "and nobody else"; exit 1 ;;
quiet) exit 1 ;;
control) printf 'a\033[1mb\377c\n'; exit 1 ;;
long) head -c 5000 /dev/zero | tr '\0' x; exit 1 ;;
odd) exit 7 ;;
die) kill -9 $$ ;;
esac
`
	for _, s := range exits(t, program, "") {
		for _, tt := range []struct{ command, want, log string }{
			{"go() { echo going; }; go", "\x00going\n", ""},
			{"other", "\x00another one\n" + u.Name + "\n", ""},
			{"unended", "\x00unended\n", ""},
			{"empty", "\x00", ""},
			{"no", "\x01Ask the operator.\n", `: "Ask the operator."`},
			{"quiet", "\x01Permission denied.\n", `: "Permission denied."`},
			{"control", "\x01a[1mbc\n", `: "a[1mbc"`},
			{"long", "\x01" + strings.Repeat("x", 200) + "\n", `: "xxx`},
			{"two", tryAgain, ": it printed more than the one line that a command is"},
			{"nul", tryAgain, ": it printed more than the one line that a command is"},
			{"odd", tryAgain, ": exit status 7"},
			{"die", tryAgain, ": killed by signal 9"},
			{"go " + strings.Repeat("x", 131060), tryAgain, ": start shell: argument list too long"},
		} {
			wantAll(t, s.addr, request(u, tt.command), tt.want)
			if tt.log != "" {
				s.log.Wait(t, tt.log) // in a message, which quotes the text
			}
		}
		wrong := u
		wrong.Password = "Secret of nobody"
		wantAll(t, s.addr, request(wrong, "no"), loginIncorrect) // the program is for who has authenticated
	}
}

func TestAnExitProgramIsAskedAsNobodyByVariablesAndJSON(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	seen := openDir(t) + "/seen"
	program := fmt.Sprintf("{ id -un; id -Gn; env | grep -E '^REXEC_' | sort; tr '\\0' ' ' </proc/$$/cmdline; echo; cat; ls /proc/$$/fd | wc -l; } >>%s\n", seen)
	for name, s := range exits(t, program, "") {
		lab.Run(t, "rm", "-f", seen)
		command := "echo \"a b\" \xff ä; :"
		out(t, s.addr, request(u, command))
		lines := strings.Split(read(seen), "\n")
		if len(lines) < 12 {
			t.Fatalf("%s: %q", name, lines)
		}
		want := []string{"nobody", "nogroup", "REXEC_COMMAND=" + command, "REXEC_LOCAL=127.0.0.1", "REXEC_PEER=127.0.0.1"}
		for i, w := range want {
			if lines[i] != w {
				t.Errorf("%s: line %d is %q; want %q", name, i, lines[i], w)
			}
		}
		port := strings.TrimPrefix(lines[5], "REXEC_PEER_PORT=")
		if lines[6] != "REXEC_RULE=" || lines[7] != "REXEC_SERVICE=rexec" || lines[8] != "REXEC_USER="+u.Name || strings.Contains(lines[9], "echo") {
			t.Errorf("%s: %q", name, lines)
		}
		var asked map[string]any
		if err := json.Unmarshal([]byte(lines[10]), &asked); err != nil || fmt.Sprintf("%v %v %v %v %v %v.", asked["service"], asked["user"], asked["peer"], asked["peer_port"], asked["local"], asked["rule"]) != "rexec "+u.Name+" 127.0.0.1 "+port+" 127.0.0.1 ." ||
			!strings.Contains(lines[10], `"command":"echo \"a b\" \udcff ä; :"`) {
			t.Errorf("%s: %s, %v", name, lines[10], err)
		}
	}
}

func TestAnExitProgramNeverRunsAsRoot(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	twin := newUser(t, lab.User{})
	lab.Run(t, "usermod", "-o", "-u", "0", twin.Name)
	ran := openDir(t) + "/ran"
	for _, who := range []string{"root", twin.Name, "nosuch"} {
		config := openDir(t) + "/config"
		write(t, config, "exit = '"+script(t, "touch "+ran)+"'\nexit_user = '"+who+"'\n"+noPenalties)
		s := serve(t, lab.Handler{Args: []string{"-config", config}})
		wantAll(t, s.Addr, request(u, "id"), tryAgain)
		s.Log.Wait(t, `: exit_user "`+who+`": `)
		out, _, _ := run(t, exec.Command(lab.Rexecd(t), "-check", "-config", config))
		want := "FAIL"
		if who == "nosuch" {
			want = "note" // it may be made when the file is put in its place
		}
		if !strings.Contains(out, want+` exit: account "`+who+`"`) {
			t.Errorf("-check printed\n%s", out)
		}
	}
	if read(ran) != "" || exec.Command("test", "-e", ran).Run() == nil {
		t.Error("the program ran")
	}
	missing := serve(t, lab.Handler{Settings: "exit = '/nowhere/validate'\n"})
	wantAll(t, missing.Addr, request(u, "id"), tryAgain)
	missing.Log.Wait(t, "exit program /nowhere/validate: start shell: no such file or directory")
}

// The example of rexecd.toml(5).
func TestTheManualsExitProgramPermitsTwoCommands(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	manual := read("../../cmd/rexecd/rexecd.toml.5")
	_, text, found := strings.Cut(manual, "#!/bin/sh\n")
	text, _, ended := strings.Cut(text, ".Ed\n")
	if !found || !ended {
		t.Fatal("the manual has no program")
	}
	for _, s := range exits(t, text, "") {
		if got := out(t, s.addr, request(u, "date")); !strings.Contains(got, ":") {
			t.Errorf("date printed %q", got)
		}
		for _, command := range []string{"date; id", "date\nid", "id", "", "$(id)", "date ", "DATE"} {
			wantAll(t, s.addr, request(u, command), "\x01Not permitted: ask the operator.\n")
		}
	}
}
