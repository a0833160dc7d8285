// Package platform tests the server where it lives: under the real super-servers, installed as an
// administrator would.
package platform

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// installed is the server where everybody looks for it, with the shipped PAM file and one
// account, made once.
const installed = "/usr/sbin/in.rexecd"

// rexecd is the program that administers it.
const rexecd = "/usr/sbin/rexecd"

// All failures of the tests come from these addresses, and would be made to wait.
const settings = "[penalties]\nexempt = [\"127.0.0.1\", \"::1\"]\n"

var host sync.Once

func prepareHost(t *testing.T) {
	t.Helper()
	host.Do(func() {
		copyTo(t, lab.Server(t), installed, 0o755)
		copyTo(t, lab.Rexecd(t), rexecd, 0o755)
		copyTo(t, lab.Root(t)+"/packaging/pam.d/debian", "/etc/pam.d/rexec", 0o644)
		write(t, "/etc/rexecd.toml", settings)
		lab.AddUser(t, lab.User{Name: "alice", Password: "correct-horse"})
	})
}

func copyTo(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// daemon starts a program in the foreground and ends it with the test. What it said is in the
// test's log.
func daemon(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	var out lockedBuilder
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), out.String())
		}
	})
	return cmd
}

type lockedBuilder struct {
	sync.Mutex
	b strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) { l.Lock(); defer l.Unlock(); return l.b.Write(p) }
func (l *lockedBuilder) String() string              { l.Lock(); defer l.Unlock(); return l.b.String() }

// awaitListener waits until something accepts connections at addr. Its own connection says
// nothing and goes.
func awaitListener(t *testing.T, addr string) {
	t.Helper()
	lab.Eventually(t, "a listener on "+addr, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// serves proves that a server works at addr: a session with its stderr connection, a wrong
// password, and a burst of 60, all at once unless the super-server takes fewer.
func serves(t *testing.T, addr string, atOnce ...int) {
	t.Helper()
	t.Run("a session with a stderr connection", func(t *testing.T) {
		s := lab.Open(t, addr, "alice", "correct-horse", `echo "$LOGNAME in $PWD"; cat; echo complaint >&2`).Started(t)
		if _, err := fmt.Fprint(s.Primary, "from stdin\n"); err != nil {
			t.Fatal(err)
		}
		a := s.Rest(t)
		if got, want := string(a.All), "alice in /home/alice\nfrom stdin\n"; got != want || string(a.Stderr) != "complaint\n" || a.Err != nil {
			t.Errorf("stdout %q, stderr %q, end %v; want %q, %q", got, a.Stderr, a.Err, want, "complaint\n")
		}
	})
	t.Run("a signal", func(t *testing.T) {
		s := lab.Open(t, addr, "alice", "correct-horse", `trap 'echo caught; exit' TERM; echo ready; while :; do sleep 0.05; done`).Started(t)
		if line := s.Line(t); line != "ready" {
			t.Fatalf("first line %q", line)
		}
		s.Signal(t, 15)
		if line := s.Line(t); line != "caught" {
			t.Errorf("after SIGTERM the command said %q", line)
		}
	})
	t.Run("a wrong password", func(t *testing.T) {
		a := lab.Ask(t, addr, lab.Request{User: "alice", Password: "wrong", Command: "id"})
		if string(a.All) != "\x01Login incorrect.\n" || a.Err != nil {
			t.Errorf("%v; want the refusal and an orderly end", a)
		}
	})
	t.Run("a burst of 60", func(t *testing.T) {
		places := make(chan bool, append(atOnce, 60)[0])
		var all sync.WaitGroup
		for i := range 60 {
			all.Add(1)
			go func() {
				defer all.Done()
				places <- true
				defer func() { <-places }()
				a := lab.Ask(t, addr, lab.Request{User: "alice", Password: "correct-horse", Command: fmt.Sprintf("echo %d", i)})
				if got, want := string(a.All), fmt.Sprintf("\x00%d\n", i); got != want || a.Err != nil {
					t.Errorf("connection %d: %v; want %q", i, a, want)
				}
			}()
		}
		all.Wait()
	})
}
