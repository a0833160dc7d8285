//go:build linux

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/client/scripted"
)

// heed makes what is started from here on get HUP's default disposition: under nohup(1) it is
// ignored, and a shell could not even trap it.
var heed = sync.OnceFunc(func() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) })

// server plays a server until the test ends.
func server(t *testing.T, name string) *scripted.Server {
	t.Helper()
	heed()
	s, err := scripted.Start(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// rexecCommand is the command as a process of its own. TestMain's testscript
// put it into PATH.
func rexecCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("rexec")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TEST_SETTINGS=/none"}
	return cmd
}

// The password is nowhere in what ps(1) shows once the session runs, and the
// rest of the command line is.
func TestPasswordIsBlankedInArgv(t *testing.T) {
	for _, args := range [][]string{
		{"-l", "me", "-p", "pw", "127.0.0.1", "cat"},
		{"-l", "me", "-ppw", "127.0.0.1", "cat"},
		{"-l", "me", "127.0.0.1", "--password=pw", "cat"},
		{"127.0.0.1", "-lme", "--password", "pw", "cat"},
		{"-p", "not pw", "-l", "me", "-p", "pw", "127.0.0.1", "cat"},
	} {
		s := server(t, "standard")
		cmd := rexecCommand(t, append([]string{"-P", s.Port()}, args...)...)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		io.WriteString(stdin, "runs\n")
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "runs\n" {
			t.Errorf("%q: %q, %v", args, line, err)
		}
		shown, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/cmdline")
		if err != nil {
			t.Error(err)
		}
		if bytes.Contains(shown, []byte("pw")) || !bytes.Contains(shown, []byte("127.0.0.1\x00")) ||
			!bytes.HasSuffix(shown, []byte("cat\x00")) {
			t.Errorf("ps shows %q", shown)
		}
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%q: %v", args, err)
		}
		if want := `me "pw" cat true` + "\n"; s.Requests() != want {
			t.Errorf("the server was told %s, want %s", s.Requests(), want)
		}
	}
}

// running starts rexec with a command that says when it runs.
func running(t *testing.T, s *scripted.Server, out *lockedBuffer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := rexecCommand(t, append([]string{"-P", s.Port(), "-l", "me", "-ppw", "-N"}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	out.waitFor(t, "ready\n") // not in the trace, which quotes it
	return cmd
}

func TestSignalsReachTheCommand(t *testing.T) {
	for _, row := range []struct {
		signal syscall.Signal
		name   string
		status int
	}{
		{syscall.SIGHUP, "HUP", 129}, {syscall.SIGINT, "INT", 130}, {syscall.SIGQUIT, "QUIT", 131}, {syscall.SIGTERM, "TERM", 143},
		{syscall.SIGUSR1, "USR1", 0}, {syscall.SIGUSR2, "USR2", 0}, {syscall.SIGALRM, "ALRM", 0}, {syscall.SIGCONT, "CONT", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out lockedBuffer
			cmd := running(t, server(t, "standard"), &out, "127.0.0.1",
				`trap "echo got `+row.name+`; exit" `+row.name+`; echo ready; while :; do sleep 0.05; done`)
			cmd.Process.Signal(row.signal)
			status := exitStatus(t, cmd)
			if out.waitFor(t, "got "+row.name); status != row.status {
				t.Errorf("exit status %d, want %d", status, row.status)
			}
		})
	}
}

// TSTP goes to the command and stops rexec too; CONT wakes both.
func TestStopKey(t *testing.T) {
	var out lockedBuffer
	seen := filepath.Join(t.TempDir(), "seen") // while rexec is stopped, no output comes
	cmd := running(t, server(t, "standard"), &out, "127.0.0.1",
		`trap "echo TSTP >>`+seen+`" TSTP; trap "echo got CONT; exit" CONT; echo ready; while :; do sleep 0.05; done`)
	cmd.Process.Signal(syscall.SIGTSTP)
	deadline := time.Now().Add(patience)
	for !strings.Contains(processState(t, cmd.Process.Pid), "T") {
		if time.Now().After(deadline) {
			t.Fatal("rexec does not stop")
		}
		time.Sleep(5 * time.Millisecond)
	}
	for { // the kernel drops a pending TSTP when CONT comes
		if text, _ := os.ReadFile(seen); string(text) == "TSTP\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the command has not got TSTP")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cmd.Process.Signal(syscall.SIGCONT)
	if status := exitStatus(t, cmd); status != 0 {
		t.Errorf("exit status %d", status)
	}
	out.waitFor(t, "got CONT")
}

func processState(t *testing.T, pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

func TestStatusOfASignalledCommand(t *testing.T) {
	var out lockedBuffer
	cmd := running(t, server(t, "standard"), &out, "--status", "127.0.0.1", `trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done`)
	cmd.Process.Signal(syscall.SIGTERM)
	if status := exitStatus(t, cmd); status != 9 {
		t.Errorf("exit status %d, want the 9 of the command; output %s", status, out.String())
	}
	var second lockedBuffer
	cmd = running(t, server(t, "standard"), &second, "--status", "127.0.0.1", `echo ready; while :; do sleep 0.05; done`)
	cmd.Process.Signal(syscall.SIGINT)
	if status := exitStatus(t, cmd); status != 130 {
		t.Errorf("exit status %d, want 130; output %s", status, second.String())
	}
}

// -s, and one connection: signals end rexec here.
func TestSignalsStayHere(t *testing.T) {
	for _, option := range []string{"-s", "-a", "-b"} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1} {
			if option == "-b" && signal != syscall.SIGUSR1 {
				continue // these go to the command
			}
			var out lockedBuffer
			cmd := running(t, server(t, "standard"), &out, option, "127.0.0.1", `echo ready; while sleep 0.1; do echo; done`)
			cmd.Process.Signal(signal)
			if status := exitStatus(t, cmd); status != 128+int(signal) {
				t.Errorf("%s: exit status %d after %v", option, status, signal)
			}
			if strings.Contains(out.String(), "goroutine") {
				t.Errorf("a stack trace:\n%s", out.String())
			}
		}
	}
}

// A command that is deaf to the interrupt key does not hold its user: the third
// ends rexec.
func TestThirdInterruptEndsRexec(t *testing.T) {
	var out lockedBuffer
	cmd := running(t, server(t, "standard"), &out, "-d", "127.0.0.1", `trap "" INT; echo ready; sleep 100 & wait; wait; wait`)
	for n := range 3 {
		cmd.Process.Signal(syscall.SIGINT)
		if n < 2 {
			out.waitForTimes(t, "sending signal 2", n+1)
		}
	}
	if status := exitStatus(t, cmd); status != 130 {
		t.Errorf("exit status %d, want 130", status)
	}
}

func TestBSDSignalNumbers(t *testing.T) {
	var out lockedBuffer
	// A Linux server takes 30 for PWR: that it comes shows the number.
	cmd := running(t, server(t, "standard"), &out, "-q", "bsd-signals", "127.0.0.1", `trap "echo got PWR; exit" PWR; echo ready; while :; do sleep 0.05; done`)
	cmd.Process.Signal(syscall.SIGUSR1)
	exitStatus(t, cmd)
	out.waitFor(t, "got PWR")
}

func exitStatus(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	stuck := time.AfterFunc(patience, func() {
		t.Error("rexec does not end")
		cmd.Process.Kill()
	})
	defer stuck.Stop()
	cmd.Wait()
	return cmd.ProcessState.ExitCode()
}
