//go:build linux

package job

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// shells are all that Debian has and that a POSIX command line means something
// to, and csh and fish, which users have for a login shell all the same.
var shells = []string{"sh", "dash", "bash", "busybox sh", "ksh93", "mksh", "posh", "yash", "zsh", "fish", "tcsh"}

// Exit statuses that shells differ on.
const (
	anyOne = -1
	syntax = -2 // not 0
)

// commands and the exit statuses they have in any shell.
var commands = []row{
	{"echo out", "out\n", 0},
	{"exit 3", "", 3},
	{"echo a; exit 4", "a\n", 4},
	{"echo 'single' \"double\"", "single double\n", 0},
	{"printf no-newline", "no-newline", 0},
	{"printf '%s' '100%d'", "100%d", 0},
	{"echo one\necho two\n", "one\ntwo\n", 0},
	{"echo hi # a comment", "hi\n", 0},
	{"echo done # it's", "done\n", 0},
	{"# nothing", "", 0},
	{"cat <<'E'\n$HOME `x` \\\nE\n", "$HOME `x` \\\n", 0},
	{"cat <<E\nhere\nE", "here\n", 0},
	{"echo back\\slash 'a\\'", "backslash a\\\n", 0},
	{"printf x\\", "", anyOne}, // what a backslash at the end means, shells differ on
	{"echo \"unbalanced", "", syntax},
	{"echo 'unbalanced", "", syntax},
	{"if true", "", syntax},
	{"(exit 7)", "", 7},
	{"false", "", 1},
	{"no-such-command-anywhere", "", 127},
	{"exec sh -c 'exit 9'", "", 9},
	{"kill -TERM $$", "", 143},
	{"kill -INT $$", "", 130},
	{"kill -SEGV $$", "", 139},
	{"echo a!b 'c\\d!e' \"it's\"\\!", "a!b c\\d!e it's!\n", 0},
	{"echo $r $t $c $m", "\n", 0}, // the word is not in the environment either
	{"echo 1\n\n\necho 2 '\n'\n", "1\n2 \n\n", 0},
	{"sh -c 'kill -KILL $$'", "", 137},
	{"trap 'exit 5' TERM; kill -TERM $$", "", 5},
	{"set -e; false; echo not reached", "", 1},
	{"echo ünï \xff", "ünï \xff\n", 0},
	{" echo leading", "leading\n", 0},
	{"echo a ! b", "a ! b\n", 0},
	{"", "", 0},
	{"echo '\t\r'", "\t\r\n", 0},
	{"cat", "input", 0},
}

// Each command by each login shell: its output as it is without --status, its
// status known.
func TestStatusOfAnyCommandByAnyLoginShell(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			for _, row := range commands {
				posix := shell != "fish" && shell != "tcsh"
				if posix || inEveryShell(row.command) {
					row.by(t, shell, "/bin/sh")
				}
			}
		})
	}
}

// What is /bin/sh differs too: dash, bash, busybox' ash, Solaris' ksh93, macOS'
// zsh.
func TestStatusByAnyPOSIXShellAsBinSh(t *testing.T) {
	for _, sh := range []string{"dash", "bash", "ksh93", "mksh", "posh", "yash", "zsh"} {
		t.Run(sh, func(t *testing.T) {
			path, err := exec.LookPath(sh)
			if err != nil {
				t.Fatalf("%v (it is in tests/packages.txt)", err)
			}
			for _, row := range commands {
				row.by(t, "dash", path)
			}
		})
	}
}

type row struct {
	command, out string
	status       int
}

// by runs the row's command by a login shell, on a host where sh is /bin/sh.
func (r row) by(t *testing.T, login, sh string) {
	t.Helper()
	words := strings.Fields(login)
	path, err := exec.LookPath(words[0])
	if err != nil {
		t.Fatalf("%v (it is in tests/packages.txt)", err)
	}
	if (login == "yash" || strings.HasSuffix(sh, "yash")) && strings.Contains(r.command, "\xff") {
		return // yash takes characters only, with --status and without
	}
	m := newMarker()
	cmd := exec.Command(path, append(words[1:], "-c", strings.ReplaceAll(wrap(r.command), "/bin/sh", sh))...)
	cmd.Stdin = connection(t, m.script()+"input")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/", "SHELL=" + path, "r=x", "t=x"}
	if len(words) > 1 {
		cmd.Env[2] = "SHELL=" // $SHELL has no words; the wrapper falls back on /bin/sh
	}
	var out, errs bytes.Buffer
	stderr := &filter{marker: m, out: &errs}
	cmd.Stdout, cmd.Stderr = &out, stderr
	err = cmd.Run()
	stderr.flush()
	switch status := stderr.status; {
	case !stderr.found:
		t.Errorf("%q: no status came back; %v, stderr %q", r.command, err, errs.String())
	case r.status == anyOne:
	case r.status == syntax && status == 0, r.status >= 0 && status != r.status:
		t.Errorf("%q: status %d, want %d; stderr %q", r.command, status, r.status, errs.String())
	case out.String() != r.out:
		t.Errorf("%q: output %q, want %q; stderr %q", r.command, out.String(), r.out, errs.String())
	case ended(cmd.ProcessState) != status:
		t.Errorf("%q: the wrapper ended with %v, want %d", r.command, cmd.ProcessState, status)
	}
	if strings.Contains(out.String()+errs.String(), m.token) {
		t.Errorf("%q: the marker is in the output %q %q", r.command, out.String(), errs.String())
	}
	if r.status > 128 && errs.Len() > 0 && !strings.HasPrefix(r.command, "sh -c") {
		t.Errorf("%q: standard error has %q of the wrapper's", r.command, errs.String())
	}
}

// connection is the end of a socket, as commands have it, that text has come
// on. A shell cannot seek in it.
func connection(t *testing.T, text string) *os.File {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "client"), os.NewFile(uintptr(pair[1]), "server")
	t.Cleanup(func() { theirs.Close() })
	go func() {
		io.WriteString(ours, text)
		ours.Close()
	}()
	return theirs
}

// ended is a process's end as a shell says it.
func ended(state *os.ProcessState) int {
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// inEveryShell reports whether a command means the same to csh and fish.
func inEveryShell(command string) bool {
	switch command {
	case "echo out", "exit 3", "echo a; exit 4", "printf no-newline", "false", "cat", "", " echo leading", "echo one\necho two\n", "sh -c 'kill -KILL $$'", "exec sh -c 'exit 9'":
		return true
	}
	return false
}

// Every byte that a command can have reaches sh as it is, whatever the login
// shell makes of quotes. A newline is between two arguments.
func TestEveryLoginShellPassesEveryByteOn(t *testing.T) {
	var all []byte
	for c := 1; c < 256; c++ {
		all = append(all, byte(c))
	}
	home := t.TempDir()
	plain := string(all[:127]) // yash takes characters only
	for _, command := range []string{string(all), plain, `'`, `\`, `!`, `\\''!!\'!\`, "", "\n", "a\n", "\n\na", "-n", "$HOME `id` $(id) ~ * {a,b} !! !$ %1", "a\\\nb!\n'c'"} {
		for _, shell := range shells {
			words := strings.Fields(shell)
			if shell == "yash" && command == string(all) {
				continue
			}
			line := strings.Replace(wrap(command), `read -r r;eval "$r"`, `for a do printf "%s\n" "$a";done`, 1)
			cmd := exec.Command(words[0], append(words[1:], "-c", line)...)
			cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home} // fish writes there
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != command+"\n" {
				t.Errorf("%s: %q became %q, %v", shell, command, out, err)
			}
		}
	}
}

// The server records how the wrapper ends: as the command did.
func TestTheWrapperEndsAsTheCommandDid(t *testing.T) {
	for _, row := range []struct {
		command string
		status  int
		signal  syscall.Signal
	}{
		{"exit 0", 0, 0}, {"exit 7", 7, 0}, {"exit 143", 143, 0}, {"exit 147", 147, 0}, {"exit 255", 255, 0},
		{"kill -TERM $$", 0, syscall.SIGTERM}, {"kill -KILL $$", 0, syscall.SIGKILL}, {"kill -HUP $$", 0, syscall.SIGHUP},
		{"kill -INT $$", 0, syscall.SIGINT}, {"kill -SEGV $$", 0, syscall.SIGSEGV},
	} {
		m := newMarker()
		cmd := exec.Command("bash", "-c", strings.ReplaceAll(wrap(row.command), "/bin/sh", "dash"))
		cmd.Stdin = connection(t, m.script())
		cmd.Env = []string{"PATH=/usr/bin:/bin", "SHELL=/bin/bash"}
		cmd.Run()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if row.signal != 0 && (!status.Signaled() || status.Signal() != row.signal) ||
			row.signal == 0 && status.ExitStatus() != row.status {
			t.Errorf("%q: the wrapper ended with %v", row.command, cmd.ProcessState)
		}
	}
}
