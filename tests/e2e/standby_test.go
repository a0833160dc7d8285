package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// A standing is a supervisor that listens.
type standing struct {
	addr string
	cmd  *exec.Cmd
	out  *output
	log  *lab.Log
}

// stand starts rexecd with flags on a port of its own.
func stand(t testing.TB, room lab.Room, path string, env []string, flags ...string) *standing {
	t.Helper()
	s := &standing{addr: freeAddr(t), out: &output{}}
	s.cmd = exec.Command(path, append(flags, "-listen", s.addr)...)
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.log = room.Command(t, s.cmd)
	listening(t, s.addr)
	return s
}

// freeAddr is an address of this host where nobody listens.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waiting are the handlers that stand by: children of the supervisor that hold its listening
// socket.
func (s *standing) waiting(t testing.TB) []string {
	t.Helper()
	pid := itoa(s.cmd.Process.Pid)
	held := map[string]bool{}
	for _, fd := range glob("/proc/" + pid + "/fd/*") {
		if link, _ := os.Readlink(fd); strings.HasPrefix(link, "socket:") {
			held[link] = true
		}
	}
	var found []string
	for _, child := range s.children() {
		// 3 is the other end of the talk with the supervisor, 4 the first listening socket.
		if link, _ := os.Readlink("/proc/" + child + "/fd/4"); held[link] && strings.Contains(read("/proc/"+child+"/cmdline"), "-worker") {
			found = append(found, child)
		}
	}
	return found
}

// children are the supervisor's, of whichever thread.
func (s *standing) children() []string {
	var pids []string
	for _, thread := range glob("/proc/" + itoa(s.cmd.Process.Pid) + "/task/*/children") {
		pids = append(pids, strings.Fields(read(thread))...)
	}
	return pids
}

// handlerOf is the process that has the other end of a connection; "" when it has none any more.
func (s *standing) handlerOf(c *net.TCPConn) string {
	port := func(a net.Addr) string { return fmt.Sprintf(":%04X", a.(*net.TCPAddr).Port) }
	for line := range strings.Lines(read("/proc/net/tcp")) {
		f := strings.Fields(line)
		if !strings.HasSuffix(f[1], port(c.RemoteAddr())) || !strings.HasSuffix(f[2], port(c.LocalAddr())) {
			continue
		}
		for _, child := range s.children() {
			for _, fd := range glob("/proc/" + child + "/fd/*") {
				if link, _ := os.Readlink(fd); link == "socket:["+f[9]+"]" {
					return child
				}
			}
		}
	}
	return ""
}

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

func (s *standing) wantWaiting(t testing.TB, n int) []string {
	t.Helper()
	var pids []string
	lab.Eventually(t, fmt.Sprintf("%d handlers wait", n), func() bool { pids = s.waiting(t); return len(pids) == n })
	return pids
}

func TestHandlersStandByAndEachServesOneConnection(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2")
	u := newUser(t, lab.User{})
	before := s.wantWaiting(t, 2)
	seen := map[string]bool{}
	for range 6 {
		parent := strings.TrimSpace(out(t, s.addr, request(u, "echo $PPID")))
		if seen[parent] {
			t.Errorf("process %s served a second connection", parent)
		}
		seen[parent] = true
	}
	if !seen[before[0]] && !seen[before[1]] {
		t.Errorf("the handlers %v that stood by served nobody; %v did", before, seen)
	}
	s.wantWaiting(t, 2)
	for pid := range seen {
		lab.Eventually(t, "a handler that has served has ended", func() bool { return !alive(pid) })
	}
	wantAll(t, s.addr, lab.Request{User: u.Name, Password: "no", Command: "true"}, loginIncorrect)
	s.log.Wait(t, "Accepted password for "+u.Name+" from 127.0.0.1")
	s.log.Wait(t, "Session closed for "+u.Name+" from 127.0.0.1")
	s.log.Wait(t, "Failed password for "+u.Name+" from 127.0.0.1")
}

func TestTheCommandOfAStandbyHandlerHasNothingOfTheSupervisors(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), []string{"NOTIFY_SOCKET=/nowhere", "SECRET=1"}, "-standby", "1")
	u := newUser(t, lab.User{})
	got := out(t, s.addr, request(u, `ls /proc/self/fd | tr '\n' ' '; grep -cE 'NOTIFY|LISTEN|SECRET|WATCHDOG' /proc/self/environ; `+inherited))
	// ls has the folder itself open as 3.
	want := "0 1 2 3 0\n" + lab.Run(t, "sh", "-c", inherited)
	if got != want {
		t.Errorf("descriptors, variables, processors, limit = %q; want %q", got, want)
	}
	if stdin := out(t, s.addr, request(u, "stat -c %F -L /proc/$PPID 2>/dev/null; cat")); stdin != "directory\n" {
		t.Errorf("with no input: %q", stdin)
	}
}

// The peer has its end when the command has, not when the PAM session is closed.
func TestThePeerOfAStandbyHandlerDoesNotWaitForTheSessionToClose(t *testing.T) {
	t.Parallel()
	on := openDir(t) + "/on"
	slow := script(t, "until [ -e "+on+" ]; do sleep 0.01; done\n")
	s := stand(t, lab.Room{Stack: lab.Stack + "session optional pam_exec.so quiet type=close_session " + slow + "\n"}, lab.Rexecd(t), nil, "-standby", "1")
	u := newUser(t, lab.User{})
	for _, a := range []lab.Answer{
		lab.Ask(t, s.addr, request(u, "echo out")),
		lab.Open(t, s.addr, u.Name, u.Password, "echo out").Rest(t),
	} {
		if string(a.All) != "\x00out\n" || a.Err != nil {
			t.Errorf("%v", a)
		}
	}
	if text := s.log.Raw(); strings.Contains(text, "Session closed") {
		t.Errorf("the session was closed before: %q", text)
	}
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "both sessions are closed", func() bool { return strings.Count(s.log.Raw(), "Session closed for "+u.Name) == 2 })
}

func TestSIGHUPMakesStandbyHandlersReadTheSettingsAnew(t *testing.T) {
	t.Parallel()
	config := filepath.Join(openDir(t), "config")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte("[penalties]\nenabled = false\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2", "-config", config)
	u := newUser(t, lab.User{})
	running := lab.Open(t, s.addr, u.Name, u.Password, "echo up; cat").Started(t)
	running.Line(t)
	old := s.wantWaiting(t, 2)
	if err := os.WriteFile(config, []byte("login_shell = true\n[penalties]\nenabled = false\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGHUP)
	for _, pid := range old {
		lab.Eventually(t, "the old handler has gone", func() bool { return !alive(pid) })
	}
	s.wantWaiting(t, 2)
	wantOut(t, s.addr, request(u, "echo $0"), "-sh\n")

	// A file that cannot be used: clients are told, and the supervisor lives on.
	write("nonsense = 1\n")
	old = s.wantWaiting(t, 2)
	s.cmd.Process.Signal(syscall.SIGHUP)
	for _, pid := range old {
		lab.Eventually(t, "the old handler has gone", func() bool { return !alive(pid) })
	}
	lab.Eventually(t, "the mistake is reported before a client comes", func() bool {
		return strings.Contains(s.out.String(), "rexecd: "+config+":3:1: unknown setting")
	})
	wantAll(t, s.addr, request(u, "true"), "\x01Try again.\n")
	s.log.Wait(t, "Configuration error: "+config+":")
	if err := running.Primary.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if a := running.Rest(t); a.Err != nil {
		t.Errorf("the command that ran meanwhile: %v", a)
	}
}

func TestStoppingTheSupervisorLeavesCommandsAlone(t *testing.T) {
	t.Parallel()
	for _, mode := range [][]string{{"-standby", "2"}, {"-debug"}} {
		t.Run(mode[0], func(t *testing.T) {
			t.Parallel()
			s := stand(t, lab.Room{}, lab.Rexecd(t), nil, mode...)
			u := newUser(t, lab.User{})
			running := lab.Open(t, s.addr, u.Name, u.Password, "echo up; cat").Started(t)
			running.Line(t)
			waiting := s.waiting(t)
			s.cmd.Process.Signal(syscall.SIGTERM)
			// Not cmd.Wait, which waits for everybody who holds its output.
			if state, err := s.cmd.Process.Wait(); err != nil || !state.Success() {
				t.Errorf("the supervisor ended with %v, %v", state, err)
			}
			for _, pid := range waiting {
				lab.Eventually(t, "a handler that waited has gone", func() bool { return !alive(pid) })
			}
			if c, err := net.Dial("tcp", s.addr); err == nil {
				c.Close()
				t.Error("the port is still open")
			}
			if _, err := running.Primary.Write([]byte("still here\n")); err != nil {
				t.Fatal(err)
			}
			if line := running.Line(t); line != "still here\n" && line != "still here" {
				t.Errorf("the command answers %q", line)
			}
		})
	}
}
