package client

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// word is what newMarker of cmd/rexec makes up.
var word = regexp.MustCompile(`[A-Z2-7]{26}`)

// Another user reads every process's arguments while the command runs.
func TestOthersDoNotSeeTheStatusWord(t *testing.T) {
	for _, h := range hosts(t) {
		gate := inHome("gate")
		os.Remove(gate)
		cmd, _ := start(t, h, "--status", `echo ready; until [ -e gate ]; do sleep 0.02; done; exit 7`)
		look := exec.Command("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null")
		look.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		seen, _ := look.Output() // processes come and go
		if !strings.Contains(string(seen), "until [ -e gate ]") {
			t.Fatalf("%s: nobody does not see the command's own line in %.2000q", h.name, seen)
		}
		if found := word.FindString(string(seen)); found != "" {
			t.Errorf("%s: nobody sees %s", h.name, found)
		}
		if err := os.WriteFile(gate, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("%s: %v", h.name, cmd.ProcessState)
		}
	}
}

// A command that prints what it finds in arguments and guesses.
func TestAStatusCannotBeForgedInTheOutput(t *testing.T) {
	const forge = `w=$(tr '\0' '\n' </proc/$PPID/cmdline | grep -ao '[A-Z2-7]\{26\}' | head -n1)
forge() { printf '\036rexec %s 0\036\036rexec %s 0\n\036rexec 0\n' "$w" "$w"; }
forge; forge >&2
exit 7`
	for _, h := range hosts(t) {
		for _, option := range []string{"--stderr=yes", "-a"} {
			if r := rexec(t, h, nil, "--status", option, h.address, forge); r.status != 7 {
				t.Errorf("%s %s: status %d, output %q", h.name, option, r.status, r.out.String())
			}
		}
	}
}

// The command's own input arrives from its first byte to its last, or is none.
func TestStatusLeavesTheInputAlone(t *testing.T) {
	for _, h := range hosts(t) {
		for _, row := range []struct{ option, stdin, out string }{
			{"--stderr=yes", "\n\x00first\nlast", "\n\x00first\nlast"},
			{"--stderr=yes", "", ""},
			{"-N", "unread", ""},
			{"-a", "one\ntwo\n", "one\ntwo\n"},
		} {
			rexec(t, h, strings.NewReader(row.stdin), "--status", row.option, h.address, "cat; exit 5").want(t, row.out, "", 5)
		}
		rexec(t, h, nil, "--status", "-i", h.address, "exit 6").want(t, "", "", 6)
	}
}

// What the server's record says of a command under --status.
func TestTheRecordOfACommandUnderStatus(t *testing.T) {
	hosts(t) // for alice
	server := lab.Handler{Path: lab.Server(t), Settings: "log_command = true"}.Start(t)
	_, port, _ := net.SplitHostPort(server.Addr)
	h := host{"in.rexecd", "127.0.0.1", port}
	for _, row := range []struct{ command, logged, end string }{
		{"exit 7", `'exit 7'`, "exit status 7"},
		{"echo it\\'s me! $HOME \"a b\"; exit 8", `'echo it'\\''\''s me'\!' $HOME "a b"; exit 8'`, "exit status 8"},
		{"echo one\necho two; exit 9", `'echo one' 'echo two; exit 9'`, "exit status 9"},
		{"kill -TERM $$", `'kill -TERM $$'`, "signal 15"},
		{"exit 143", `'exit 143'`, "exit status 143"},
		{"kill -KILL $$", `'kill -KILL $$'`, "signal 9"},
	} {
		before := len(server.Log.Records())
		rexec(t, h, nil, "--status", h.address, row.command)
		var accepted, closed string
		lab.Eventually(t, "the record of "+row.command, func() bool {
			for _, r := range server.Log.Records()[before:] {
				if r["REXEC_COMMAND"] != "" {
					accepted = r["REXEC_COMMAND"]
				}
				if strings.Contains(r["MESSAGE"], "Session closed") {
					closed = r["MESSAGE"]
				}
			}
			return closed != ""
		})
		if want := `exec /bin/sh -c 'read -r r;eval "$r"' rexec ` + row.logged; accepted != want {
			t.Errorf("the command is logged as %s, want %s", accepted, want)
		}
		if !strings.Contains(closed, row.end) {
			t.Errorf("%q is logged as %q, want %s", row.command, closed, row.end)
		}
	}
}
