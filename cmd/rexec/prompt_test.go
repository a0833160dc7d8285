//go:build linux

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A ptyPair is a terminal and who sits at it.
type ptyPair struct {
	person *os.File
	tty    *os.File
}

func openPTY(t *testing.T) ptyPair {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(filepath.Join("/dev/pts", strconv.Itoa(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close(); tty.Close() })
	return ptyPair{person, tty}
}

func (p ptyPair) echoes(t *testing.T) bool {
	state, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// onTerminal starts rexec with a controlling terminal, standard input and
// output elsewhere, and shows what appears on the terminal.
func onTerminal(t *testing.T, args ...string) (*exec.Cmd, ptyPair, *lockedBuffer, *lockedBuffer) {
	t.Helper()
	pair := openPTY(t)
	cmd := rexecCommand(t, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	cmd.ExtraFiles = []*os.File{pair.tty}
	cmd.Stdin = strings.NewReader("the command's input\n")
	var out, screen lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	go io.Copy(&screen, pair.person)
	return cmd, pair, &out, &screen
}

func TestPromptForNameAndPassword(t *testing.T) {
	s := server(t, "standard")
	cmd, pair, out, screen := onTerminal(t, "-P", s.Port(), "127.0.0.1", "cat")
	screen.waitFor(t, "Name (127.0.0.1:")
	io.WriteString(pair.person, "petra\n")
	screen.waitFor(t, "Password (127.0.0.1:petra): ")
	pair.waitForEcho(t, false)
	io.WriteString(pair.person, "pw\n")
	if status := exitStatus(t, cmd); status != 0 {
		t.Errorf("exit status %d, %s", status, out.String())
	}
	if out.String() != "the command's input\n" {
		t.Errorf("output %q: the prompt must not take the command's input, nor write to its output", out.String())
	}
	if strings.Contains(screen.String(), "pw") {
		t.Errorf("the screen shows %q", screen.String())
	}
	pair.waitForEcho(t, true)
	if want := "petra \"pw\" cat true\n"; s.Requests() != want {
		t.Errorf("the server was told %q, want %q", s.Requests(), want)
	}
}

// With -n the environment and .netrc have no say; return takes the name shown.
func TestPromptIgnoresOtherSources(t *testing.T) {
	s := server(t, "standard")
	cmd, pair, out, screen := onTerminal(t, "-n", "-P", s.Port(), "127.0.0.1", "cat")
	screen.waitFor(t, "Name (127.0.0.1:")
	io.WriteString(pair.person, "\n")
	screen.waitFor(t, "Password (127.0.0.1:"+localUser()+"): ")
	pair.waitForEcho(t, false)
	io.WriteString(pair.person, "\n") // an empty password is one
	if status := exitStatus(t, cmd); status != exitRefused {
		t.Errorf("exit status %d, %s", status, out.String())
	}
	if want := localUser() + " \"\" cat true\n"; s.Requests() != want {
		t.Errorf("the server was told %q, want %q", s.Requests(), want)
	}
}

func TestInterruptedPromptLeavesTheTerminalAsItWas(t *testing.T) {
	s := server(t, "standard")
	cmd, pair, _, screen := onTerminal(t, "-P", s.Port(), "-l", "me", "127.0.0.1", "cat")
	screen.waitFor(t, "Password (127.0.0.1:me): ")
	pair.waitForEcho(t, false)
	pair.person.Write([]byte{3}) // the interrupt key
	if status := exitStatus(t, cmd); status != 130 {
		t.Errorf("exit status %d, want 130", status)
	}
	pair.waitForEcho(t, true)
	if s.Requests() != "" {
		t.Errorf("the server was told %q", s.Requests())
	}
}

func (p ptyPair) waitForEcho(t *testing.T, on bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); p.echoes(t) != on; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("echo does not become %v", on)
		}
	}
}
