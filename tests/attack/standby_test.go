package attack

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

// A standing is rexecd -standby, and what it said.
type standing struct {
	addr string
	pid  int
	mu   sync.Mutex
	said bytes.Buffer
}

func (s *standing) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(b)
}

func (s *standing) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// stand starts rexecd -standby 4 after a line of shell.
func stand(t *testing.T, before string, flags ...string) *standing {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &standing{addr: l.Addr().String()}
	l.Close()
	cmd := exec.Command("sh", append([]string{"-c", before + `exec "$@"`, "sh", lab.Rexecd(t), "-standby", "4", "-listen", s.addr}, flags...)...)
	cmd.Stderr = s
	lab.Room{}.Command(t, cmd)
	s.pid = cmd.Process.Pid
	lab.Eventually(t, "a zygote", func() bool { return s.zygote() != 0 })
	return s
}

// zygote is 0 while there is none. A handler has its arguments for a moment: the zygote is the
// first.
func (s *standing) zygote() int {
	first := 0
	for _, pid := range children(s.pid) {
		if (first == 0 || pid < first) && strings.Contains(read(fmt.Sprintf("/proc/%d/cmdline", pid)), "\x00-zygote\x00") &&
			!strings.HasPrefix(status(pid, "State"), "Z") {
			first = pid
		}
	}
	return first
}

// ready waits until the supervisor has its four handlers, and nobody else is served.
func (s *standing) ready(t *testing.T) {
	t.Helper()
	lab.Eventually(t, "four handlers wait", func() bool { return len(children(s.pid)) == 5 })
}

// sameAfter fails the test if the supervisor has ended, or its zygote, where that is asked.
func (s *standing) sameAfter(t *testing.T, what string, zygote int) {
	t.Helper()
	if status(s.pid, "State") == "" || status(s.pid, "State")[0] == 'Z' {
		t.Fatalf("after %s: the supervisor has ended: %s", what, s.text())
	}
	if now := s.zygote(); zygote != 0 && now != zygote {
		t.Errorf("after %s: the zygote was %d and is %d: %s", what, zygote, now, s.text())
	}
}

// pidsGroup makes a control group that may have so many processes, and returns its directory.
func pidsGroup(t *testing.T, most int) string {
	t.Helper()
	root := openDir(t) // which nobody removes with all that is mounted there
	if exec.Command("mount", "-t", "cgroup", "-o", "pids", "none", root).Run() != nil {
		lab.Run(t, "mount", "-t", "cgroup2", "none", root)
	}
	dir, err := os.MkdirTemp(root, "rexecd-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lab.Eventually(t, "the control group is empty", func() bool {
			for _, pid := range strings.Fields(read(dir + "/cgroup.procs")) {
				exec.Command("kill", "-KILL", pid).Run()
			}
			return os.Remove(dir) == nil
		})
	})
	write(t, dir+"/pids.max", strconv.Itoa(most))
	return dir
}

func TestAForkBombLeavesSupervisorAndZygoteAlive(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	group := pidsGroup(t, 80)
	s := stand(t, "echo $$ >"+group+"/cgroup.procs; ")
	served(t, s.addr, u)
	// The shell ends at the first process that it cannot have; the others stay.
	lab.Ask(t, s.addr, request(u, "(while :; do sleep 1000 & done) >/dev/null 2>&1"))
	var held []net.Conn
	for range 20 { // its own handler's end has left room for another
		held = append(held, lab.Dial(t, s.addr))
	}
	lab.Eventually(t, "there are no more processes", func() bool { return strings.Contains(s.text(), "resource temporarily unavailable") })
	s.sameAfter(t, "the bomb", 0)
	lab.Run(t, "pkill", "-KILL", "-U", u.Name)
	for _, c := range held {
		c.Close()
	}
	served(t, s.addr, u)
	s.ready(t)
	s.sameAfter(t, "the bomb's end", 0)
}

// Half-open ones, and ones that end at once.
func TestAFloodLeavesSupervisorAndZygoteAlive(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := stand(t, "", "-max", "40")
	served(t, s.addr, u)
	s.ready(t)
	zygote := s.zygote()
	memory := rss(zygote)
	for round := range 3 {
		var open []net.Conn
		for range 200 {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte("0\x00"))
			open = append(open, c)
		}
		if n := len(children(s.pid)); n > 41 {
			t.Errorf("round %d: %d processes; want at most 40 and the zygote", round, n)
		}
		for _, c := range open {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}
	served(t, s.addr, u)
	s.ready(t)
	s.sameAfter(t, "the flood", 0)
	if now := rss(s.zygote()); s.zygote() == zygote && now > memory+256 {
		t.Errorf("the zygote had %d KB and has %d", memory, now)
	}
}

func TestSupervisorAndZygoteSurviveALackOfDescriptors(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := stand(t, "ulimit -n 40; ")
	served(t, s.addr, u)
	var held []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	lab.Eventually(t, "it runs short", func() bool { return strings.Contains(s.text(), "too many open files") })
	s.sameAfter(t, "the lack", 0)
	for _, c := range held {
		c.Close()
	}
	served(t, s.addr, u)
	lab.Eventually(t, "a zygote", func() bool { return s.zygote() != 0 })
	s.sameAfter(t, "the lack's end", 0)
}

// crasher is a module that reads where nothing is, for the user name "crash".
const crasher = `#include <security/pam_modules.h>
#include <string.h>
int pam_sm_authenticate(pam_handle_t *h, int f, int n, const char **v)
{
	const char *user = "";
	pam_get_user(h, &user, 0);
	if (strcmp(user, "crash") == 0)
		*(volatile int *)8 = 1;
	return (void)f, (void)n, (void)v, PAM_IGNORE;
}
int pam_sm_setcred(pam_handle_t *h, int f, int n, const char **v) { return (void)h, (void)f, (void)n, (void)v, PAM_IGNORE; }
`

// Whoever crashes a handler, with a guess at an address, say, meets others at the next try.
func TestACrashGetsNoSecondTryAtTheSameAddresses(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	lab.Run(t, "cc", "-shared", "-fPIC", "-o", dir+"/crash.so", write(t, filepath.Join(dir, "crash.c"), crasher), "-lpam")
	lab.AddUser(t, lab.User{Name: "crash", Password: "x"})
	u := newUser(t, lab.User{})
	stack := write(t, dir+"/stack", "auth optional "+dir+"/crash.so\n"+lab.Stack)
	s := stand(t, "mount --make-rprivate /; mount --bind "+stack+" /etc/pam.d/rexec; ")
	for range 5 { // those that were executed meanwhile
		served(t, s.addr, u)
	}
	s.ready(t)
	var seen []string
	for range 4 {
		before := s.zygote()
		seen = append(seen, loadedAt(before))
		old := children(s.pid)
		if a := lab.Ask(t, s.addr, lab.Request{User: "crash", Password: "x", Command: "id"}); len(a.All) > 0 {
			t.Fatalf("%v", a)
		}
		lab.Eventually(t, "everybody is new", func() bool {
			now := children(s.pid)
			return s.zygote() != 0 && s.zygote() != before && !slices.ContainsFunc(old, func(pid int) bool { return slices.Contains(now, pid) })
		})
		s.ready(t)
		for range 5 {
			served(t, s.addr, u)
		}
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 4 {
		t.Errorf("in 4 tries the program lay at %d addresses", n)
	}
	if got := strings.Count(s.text(), "a handler crashed"); got != 4 {
		t.Errorf("%d crashes are logged; want 4: %s", got, s.text())
	}
}

// loadedAt is where a process has its program.
func loadedAt(pid int) string {
	stat := strings.Fields(read(fmt.Sprintf("/proc/%d/stat", pid))) // "(in.rexecd)" is one field
	if len(stat) < 26 {
		return ""
	}
	return stat[25]
}
