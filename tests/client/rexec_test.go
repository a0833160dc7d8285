package client

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestCommandsOnRealServers(t *testing.T) {
	for _, h := range hosts(t) {
		t.Run(h.name, func(t *testing.T) {
			for _, row := range []struct {
				args      string // separated by |, after which the host has its place at @
				stdin     string
				out, errs string
				status    int
			}{
				{"@|id -un; pwd", "", "alice\n/home/alice\n", "", 0},
				{"@|echo out; echo err >&2; exit 3", "", "out\n", "err\n", 0},
				{"-a|@|echo out; echo err >&2", "", "out\nerr\n", "", 0},
				{"--stderr|auto|@|echo err >&2", "", "", "err\n", 0},
				{"@|cat; echo end", "stdin\n", "stdin\nend\n", "", 0},
				{"@|-N|cat; echo end", "stdin\n", "end\n", "", 0},
				{"-i|@|echo no input", "stdin\n", "no input\n", "", 0},
				{"@|--status|exit 3", "", "", "", 3},
				{"@|--status|-a|echo out; exit 4", "", "out\n", "", 4},
				{"--status|@|printf out; printf err >&2; exit 5", "", "out", "err", 5},
				{"--status|@|cat; exit 6", "in", "in", "", 6},
				{"--status|@|kill -TERM $$", "", "", "", 143},
				{"--status|@|echo $SHELL $0", "", "/bin/bash /bin/bash\n", "", 0},
				{"@|printf", "", "", "", 0},
				{"@|printf|'\\0\\1\\0\\1'", "", "\x00\x01\x00\x01", "", 0},
				{"@|printf|'\\1\\0' >&2", "", "", "\x01\x00", 0},
				{"-l|bob|-p|x|@|id", "", "", "", 1},
				{"--port-is-no-option|@|id", "", "", "", 255},
			} {
				args := strings.Split(strings.ReplaceAll(row.args, "@", h.address), "|")
				got := rexec(t, h, strings.NewReader(row.stdin), args...)
				if row.args == "@|printf" || row.status == 1 || row.status == 255 {
					if got.status != row.status || got.err.Len() == 0 {
						t.Errorf("%q: status %d, %q", args, got.status, got.err.String())
					}
					continue
				}
				got.want(t, row.out, row.errs, row.status)
			}
		})
	}
}

func TestRefusalsOfRealServers(t *testing.T) {
	for _, h := range hosts(t) {
		got := rexec(t, h, nil, "-p", "wrong", h.address, "id")
		if h.name == "netkit" && strings.Contains(got.err.String(), "closed the connection without a word") {
			got.err.Reset()
			got.err.WriteString("rexec: 127.0.0.1: Login incorrect.\n")
		}
		got.want(t, "", "rexec: 127.0.0.1: Login incorrect.\n", 1)
	}
}

// 64 MiB to the command and back, whatever bytes.
func TestBinaryBothWaysOnRealServers(t *testing.T) {
	const size = 64 << 20
	noise := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{7}), size) }
	for _, h := range hosts(t) {
		for _, option := range []string{"--stderr=yes", "-a", "--status"} {
			got := rexec(t, h, noise(), option, h.address, "cat")
			want, sum := sha256.New(), sha256.Sum256(got.out.Bytes())
			io.Copy(want, noise())
			if sum != [32]byte(want.Sum(nil)) || got.err.Len() > 0 || got.status != 0 {
				t.Errorf("%s %s: %d bytes came back, stderr %.200q, status %d", h.name, option, got.out.Len(), got.err.String(), got.status)
			}
		}
	}
}

// start runs rexec until its command has said "ready".
func start(t *testing.T, h host, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(lab.Client(t), append([]string{"-P", h.port, "-N", h.address}, args...)...)
	cmd.Env = identity(t)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(3*lab.Patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() { stuck.Stop(); cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("output %q, %v", line, err)
	}
	return cmd, lines
}

// netkit's server throws signals away: three of them end rexec.
func TestSignalsOnRealServers(t *testing.T) {
	for _, h := range hosts(t) {
		for _, row := range []struct {
			signal syscall.Signal
			name   string
			status int
		}{{syscall.SIGINT, "INT", 130}, {syscall.SIGTERM, "TERM", 143}, {syscall.SIGHUP, "HUP", 129}, {syscall.SIGUSR1, "USR1", 0}} {
			cmd, lines := start(t, h, `trap "echo got `+row.name+`; exit" `+row.name+`; echo ready; while :; do sleep 0.05; done`)
			if h.name == "netkit" {
				if row.signal != syscall.SIGUSR1 {
					interruptThrice(t, cmd, row.signal, row.status)
				}
				continue
			}
			cmd.Process.Signal(row.signal)
			line, err := lines.ReadString('\n')
			io.Copy(io.Discard, lines)
			cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); line != "got "+row.name+"\n" || status != row.status {
				t.Errorf("%s, %s: %q, %v, status %d; want status %d", h.name, row.name, line, err, status, row.status)
			}
		}
	}
}

func interruptThrice(t *testing.T, cmd *exec.Cmd, signal syscall.Signal, status int) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	lab.Eventually(t, "rexec's end", func() bool {
		cmd.Process.Signal(signal) // the kernel makes one of two that come at once
		select {
		case <-ended:
			return true
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("exit status %d after %v, want %d", got, signal, status)
	}
}

// Output comes as it is written, not when a buffer is full: the command waits
// for a file that the test makes when it has seen the first line.
func TestOutputIsNotBuffered(t *testing.T) {
	for _, h := range hosts(t) {
		for _, option := range []string{"--stderr=yes", "--status"} {
			gate := inHome("gate")
			os.Remove(gate)
			cmd, lines := start(t, h, option, `echo ready; printf 'no newline'; until [ -e gate ]; do sleep 0.02; done; echo; echo end`)
			begun := make([]byte, len("no newline"))
			if _, err := io.ReadFull(lines, begun); err != nil || string(begun) != "no newline" {
				t.Errorf("%s: %q, %v", h.name, begun, err)
			}
			if err := os.WriteFile(gate, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(lines)
			if cmd.Wait(); string(rest) != "\nend\n" {
				t.Errorf("%s: %q", h.name, rest)
			}
		}
	}
}

// More lines than fit any buffer, from both ends of the command at once.
func TestStdoutAndStderrStayApart(t *testing.T) {
	for _, h := range hosts(t) {
		got := rexec(t, h, nil, h.address, "seq 200000 & seq 200000 >&2; wait")
		var want strings.Builder
		for n := range 200000 {
			fmt.Fprintln(&want, n+1)
		}
		if got.out.String() != want.String() || got.err.String() != want.String() {
			t.Errorf("%s: %d and %d bytes, want %d each", h.name, got.out.Len(), got.err.Len(), want.Len())
		}
	}
}
