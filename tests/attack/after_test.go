package attack

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// compile builds a C source of testdata and returns the path of the product.
func compile(t testing.TB, source string, flags ...string) string {
	t.Helper()
	product := openDir(t) + "/product"
	args := append([]string{"-Wall", "-O1", "-o", product, "testdata/" + source}, flags...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return product
}

// sessionStack records the session's life in dir/opened and dir/closed.
func sessionStack(t testing.TB, dir string) string {
	t.Helper()
	note := write(t, dir+"/note", "#!/bin/sh\necho $PAM_USER >>"+dir+"/$PAM_TYPE\n")
	return strings.Replace(lab.Stack, "session  required pam_permit.so", "session required pam_exec.so quiet "+note, 1)
}

func TestTheCommandCannotTouchTheServerThatWaitsForIt(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	prober := compile(t, "prober.c")
	s := serve(t, lab.Handler{Room: lab.Room{Stack: sessionStack(t, dir)}})
	if got := out(t, s.Addr, request(u, prober+" $PPID")); !strings.HasSuffix(got, " tasks tried, all refused\n") || strings.HasPrefix(got, "0 ") {
		t.Errorf("%s", got)
	}
	// For each relayed signal the server takes the user's rights and gives them back: try in
	// between.
	session := lab.Open(t, s.Addr, u.Name, u.Password, "trap '' URG; echo ready; read x; "+prober+" $PPID 300").Started(t)
	session.Line(t)
	stop := make(chan struct{})
	go func() {
		for many := bytes.Repeat([]byte{byte(syscall.SIGURG)}, 1000); ; {
			select {
			case <-stop:
				return
			default:
				session.Stderr.Write(many)
			}
		}
	}()
	session.Primary.Write([]byte("go\n"))
	all, _ := io.ReadAll(session.Primary)
	close(stop)
	if !strings.HasSuffix(string(all), " tasks tried, all refused\n") {
		t.Errorf("while signals are relayed: %.2000s", all)
	}
	session.Stderr.Close()
	if end := s.Process(t, 1).Wait(t); end.ExitCode() != 0 {
		t.Errorf("handler's end: %v", end)
	}
	if got := read(dir + "/close_session"); got != u.Name+"\n"+u.Name+"\n" {
		t.Errorf("sessions closed: %q", got)
	}
}

// The command signals and stops all that it can reach, its own server too if it could.
func TestSignalsToEverythingInReachStopNothingOfTheServers(t *testing.T) {
	t.Parallel()
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	dir := openDir(t)
	s := serve(t, lab.Handler{Room: lab.Room{Stack: sessionStack(t, dir)}})
	neighbour := lab.Open(t, s.Addr, other.Name, other.Password, "echo ready; read x; echo $x").Started(t)
	neighbour.Line(t)
	session := lab.Open(t, s.Addr, u.Name, u.Password, "trap : URG; echo ready; read x; kill -STOP -1; kill -STOP $PPID 0; echo done").Started(t)
	session.Line(t)
	session.Signal(t, byte(syscall.SIGURG)) // so that there is a thread for the user
	session.Primary.Write([]byte("go\n"))
	handler := s.Process(t, 1).Pid
	lab.Eventually(t, "the command to have stopped itself", func() bool {
		for _, c := range children(handler) {
			return strings.HasPrefix(status(c, "State"), "T")
		}
		return false
	})
	for _, p := range s.Processes() {
		if state := status(p.Pid, "State"); strings.HasPrefix(state, "T") {
			t.Errorf("server %d is stopped: %s", p.Pid, state)
		}
	}
	neighbour.Primary.Write([]byte("undisturbed\n"))
	if a := neighbour.Rest(t); string(a.All) != "undisturbed\n" {
		t.Errorf("another user's command: %v", a)
	}
	served(t, s.Addr, other)
	// A client can still end what stopped itself, and then the session is closed.
	session.Signal(t, byte(syscall.SIGKILL))
	s.Process(t, 1).Wait(t)
	if got := read(dir + "/close_session"); !strings.Contains(got, u.Name+"\n") {
		t.Errorf("sessions closed: %q", got)
	}
}

// marks tell one test's processes from another's.
var marks atomic.Int64

func TestASessionEndsWithItsCommandAndNotBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, command, alive string }{
		{"a daemon with all descriptors closed", "(setsid sh -c 'exec <&- >&- 2>&-; exec sleep 1000.%d' &)", ""},
		{"a daemon that holds the connections", "(setsid sleep 1000.%d &)", ""},
		{"children that ignore every signal", "(trap '' HUP INT TERM QUIT; sleep 1000.%d) & true", ""},
		{"a shell that closes its descriptors", "exec <&- >&- 2>&-; sleep .5; : %d", "yes"},
		{"a shell that is replaced", "exec sh -c 'sleep .5; : %d'", "yes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, lab.User{})
			dir := openDir(t)
			s := serve(t, lab.Handler{Room: lab.Room{Stack: sessionStack(t, dir)}})
			mark := marks.Add(1)
			session := lab.Open(t, s.Addr, u.Name, u.Password, fmt.Sprintf(c.command, mark)).Started(t)
			handler := s.Process(t, 0)
			if c.alive != "" && len(children(handler.Pid)) > 0 && exists(dir+"/close_session") && len(children(handler.Pid)) > 0 {
				t.Error("the session was closed before the command's end")
			}
			handler.Wait(t) // whatever lives on: the server is gone, and the session closed
			if got := read(dir + "/close_session"); got != u.Name+"\n" {
				t.Errorf("sessions closed: %q", got)
			}
			session.Primary.Close()
			exec.Command("pkill", "-KILL", "-U", uid(t, u)).Run() // this test's own account
		})
	}
}

// loneUser is a user whose number no other private host on this kernel has: the kernel counts
// processes by number.
func loneUser(t testing.TB) lab.User {
	t.Helper()
	u := newUser(t, lab.User{})
	lab.Run(t, "usermod", "-u", strconv.Itoa(1_000_000+rand.IntN(1_000_000_000)), u.Name)
	return u
}

func TestTheLimitOfProcessesIsToldAsTheShellsError(t *testing.T) {
	t.Parallel()
	u, other := loneUser(t), newUser(t, lab.User{})
	limits := "#%PAM\n" + u.Name + " hard nproc 3\n"
	s := serve(t, lab.Handler{Room: lab.Room{
		Stack: lab.Stack + "session required pam_limits.so\n",
		Files: map[string]string{"/etc/security/limits.conf": limits},
	}})
	full := lab.Open(t, s.Addr, u.Name, u.Password, "sleep 1000 & sleep 1000 & echo ready; wait").Started(t)
	full.Line(t)
	over := lab.Open(t, s.Addr, u.Name, u.Password, "echo ready; exec sleep 1000").Started(t) // exec itself permits one more
	over.Line(t)
	a := lab.Open(t, s.Addr, u.Name, u.Password, "echo no").Rest(t)
	if string(a.All) != "\x00" || string(a.Stderr) != "/bin/sh: Resource temporarily unavailable\n" {
		t.Errorf("with a stderr connection: %v", a)
	}
	want(t, s.Addr, request(u, "echo no"), "\x00/bin/sh: Resource temporarily unavailable\n")
	served(t, s.Addr, other)
	for i, session := range []*lab.Session{full, over} {
		session.Signal(t, byte(syscall.SIGKILL))
		s.Process(t, i).Wait(t)
	}
}

func TestAForkBombUnderALimitHurtsItsUserAlone(t *testing.T) {
	t.Parallel()
	u, other := loneUser(t), newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{
		Stack: lab.Stack + "session required pam_limits.so\n",
		Files: map[string]string{"/etc/security/limits.conf": u.Name + " hard nproc 40\n"},
	}})
	bomb := lab.Open(t, s.Addr, u.Name, u.Password, "bomb() { bomb | bomb & sleep 1; }; echo ready; bomb; sleep 1000").Started(t)
	bomb.Line(t)
	for range 5 {
		served(t, s.Addr, other)
	}
	bomb.Signal(t, byte(syscall.SIGKILL))
	s.Process(t, 0).Wait(t)
	exec.Command("pkill", "-KILL", "-U", uid(t, u)).Run()
	served(t, s.Addr, other)
}

var number = regexp.MustCompile(`[0-9]+`)

// What the waiting server can still do is what pam_close_session may need; what it holds is this
// list and no more.
func TestTheWaitingServerHoldsLittle(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: lab.Stack + "session required pam_limits.so\n"}})
	session := lab.Open(t, s.Addr, u.Name, u.Password, "echo ready; read x").Started(t)
	session.Line(t)
	pid := s.Process(t, 0).Pid
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, fd := range fds {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		if target != "/dev/null" && heldHere(target) {
			continue // what the tests' own caller left open
		}
		kinds[number.ReplaceAllString(target, "N")]++
	}
	t.Logf("descriptors %v, memory %s of which %s anonymous, threads %s, capabilities %s", kinds, status(pid, "VmRSS"), status(pid, "RssAnon"), status(pid, "Threads"), status(pid, "CapEff"))
	// The three of the server, the stderr connection, libc's own to syslog; the two ends that a
	// signal to stop writes to; the command; and what Go's runtime made to read the settings
	// with. The primary connection is not among them.
	allowed := map[string]int{"/dev/null": 4, "socket:[N]": 2, "pipe:[N]": 2, "anon_inode:[pidfd]": 1, "pidfd:[N]": 1, "anon_inode:[eventfd]": 1, "anon_inode:[eventpoll]": 1}
	for kind, n := range kinds {
		if n > allowed[kind] {
			t.Errorf("%d of %s, at most %d are accounted for", n, kind, allowed[kind])
		}
	}
	session.Primary.Close()
}

// heldHere tells whether this process has the pipe or socket open itself.
func heldHere(target string) bool {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if mine, _ := os.Readlink("/proc/self/fd/" + fd.Name()); mine == target {
			return true
		}
	}
	return false
}
