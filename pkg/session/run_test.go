package session

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ask runs a script as a program.
func ask(t *testing.T, text string, change func(*Program)) (Status, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	top := filepath.Clean(os.TempDir()) // the machine's, whose mode stays as it is
	for dir := filepath.Dir(path); dir != top; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := &Program{Path: path, Env: []string{"PATH=/usr/bin:/bin", "A=b"}, MaxOutput: 100, Patience: patienceOfTests}
	if change != nil {
		change(p)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status, printed, err := p.Run()
	status.Usage = Usage{}
	return status, string(printed), err
}

func TestAProgramIsHeardToItsEnd(t *testing.T) {
	for _, tt := range []struct {
		name, text, input string
		status            Status
		printed           string
	}{
		{"nothing", "exit 0", "", Status{}, ""},
		{"a status", "exit 3", "", Status{Exit: 3}, ""},
		{"a signal", "kill -9 $$", "", Status{Exit: -1, Signal: unix.SIGKILL}, ""},
		{"its input", "cat", "some\ninput\n", Status{}, "some\ninput\n"},
		{"input that nobody reads", "echo x", strings.Repeat("i", 1<<20), Status{}, "x\n"},
		{"input that is closed", "exec <&-; sleep 0.1; echo x", strings.Repeat("i", 1<<20), Status{}, "x\n"},
		{"much input", "wc -c | tr -d ' '", strings.Repeat("i", 1<<20), Status{}, "1048576\n"},
		{"output that is closed", "echo x; exec >&-; sleep 0.1; exit 2", "", Status{Exit: 2}, "x\n"},
		{"its environment, directory and errors", "echo $A $0 | sed s:/.*/::; pwd; readlink /proc/$$/fd/2", "", Status{}, "b program\n/\n/dev/null\n"},
		{"its descriptors", "exec ls /proc/self/fd", "", Status{}, "0\n1\n2\n3\n"}, // 3 is the directory
		{"a session of its own", `set -- $(sed 's/.*) //' /proc/$$/stat); [ $3 = $$ ] && [ $4 = $$ ] && echo leads`, "", Status{}, "leads\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, printed, err := ask(t, tt.text, func(p *Program) { p.Input = []byte(tt.input) })
			if err != nil || status != tt.status || printed != tt.printed {
				t.Errorf("%+v, %q, %v; want %+v, %q", status, printed, err, tt.status, tt.printed)
			}
		})
	}
}

func TestAProgramIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"hangs", "sleep 1000", errTooLate},
		{"hangs without its descriptors", "exec <&- >&- 2>&-; sleep 1000", errTooLate},
		{"hangs and ignores signals", "trap '' TERM INT HUP PIPE; while :; do sleep 1000; done", errTooLate},
		{"stops itself", "kill -STOP $$", errTooLate},
		{"prints without end", "yes", errTooMuch},
		{"prints megabytes at once", "head -c 5000000 /dev/zero", errTooMuch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			_, printed, err := ask(t, tt.text, func(p *Program) {
				if tt.want == errTooLate {
					p.Patience = 300 * time.Millisecond
				}
			})
			if !errors.Is(err, tt.want) || printed != "" || time.Since(began) > patienceOfTests/2 {
				t.Errorf("%q, %v after %v; want %v", printed, err, time.Since(began), tt.want)
			}
		})
	}
}

func TestNothingOfAProgramsGroupOutlivesIt(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		err  error
	}{
		"ends":  {"sleep 1000 & echo $! >&3; exit 0", nil},
		"hangs": {"sleep 1000 & echo $! >&3; wait", errTooLate},
	} {
		t.Run(name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pid")
			began := time.Now()
			_, _, err := ask(t, "exec 3>"+pids+"\n"+tt.text, func(p *Program) { p.Patience = time.Second })
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v; want %v", err, tt.err)
			}
			if tt.err == nil && time.Since(began) > 900*time.Millisecond {
				t.Errorf("a child that holds the output was waited for: %v", time.Since(began))
			}
			text, _ := os.ReadFile(pids)
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			for until := time.Now().Add(patienceOfTests); ; time.Sleep(time.Millisecond) {
				status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
				if len(status) == 0 || strings.Contains(string(status), "State:\tZ") {
					break
				}
				if time.Now().After(until) {
					unix.Kill(pid, unix.SIGKILL)
					t.Fatalf("process %d of the group runs on", pid)
				}
			}
		})
	}
}

func TestAProgramIsItsUserAndNobodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	unix.Setgroups([]int{0, 4})
	status, printed, err := ask(t, "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff):' /proc/$$/status | tr -s '\\t ' ' '; ulimit -c >/dev/null", func(p *Program) {
		p.ChangeIdentity, p.UID, p.GID, p.Groups, p.MaxOutput = true, someUID, someUID+1, []int{someUID + 1, 99}, 1000
	})
	want := "Uid: 54321 54321 54321 54321\nGid: 54322 54322 54322 54322\nGroups: 99 54322 \nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n"
	if err != nil || status != (Status{}) || printed != want {
		t.Errorf("%+v, %v:\n%swant\n%s", status, err, printed, want)
	}
}

func TestAMissingProgramIsAnError(t *testing.T) {
	_, _, err := (&Program{Path: "/nowhere", Patience: time.Second}).Run()
	var failed *StartError
	if !errors.As(err, &failed) || failed.Err != unix.ENOENT {
		t.Errorf("error %v", err)
	}
	long := func(p *Program) { p.Env = []string{"A=" + strings.Repeat("x", 131072)} }
	if _, _, err := ask(t, "", long); !errors.Is(err, unix.E2BIG) {
		t.Errorf("with too long a variable: %v", err)
	}
}
