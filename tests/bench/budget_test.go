package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/bench/rig"
	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// The cost of one connection is held by counts, not by a clock: they hardly change from run to run or from machine to
// machine, and what they count is what costs (a page fault is 0.5 to 2 us, a thread 50). They are counts beyond the C
// reference's in the same host, so that its PAM modules, NSS sources and C library cancel out.
func TestOneConnectionStaysWithinItsBudget(t *testing.T) {
	lab.AddUser(t, lab.User{Name: rig.UserName, Password: rig.Password})
	if err := lab.PAM(rig.Stacks[0].PAM); err != nil {
		t.Fatal(err)
	}
	if err := rig.LogSink(nil, "/dev/log", "/run/systemd/journal/socket"); err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../../packaging/rexecd.toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/etc/rexecd.toml", shipped, 0o644); err != nil {
		t.Fatal(err)
	}
	reference := filepath.Join(t.TempDir(), "reference")
	lab.Run(t, "cc", "-O2", "-o", reference, "c/reference.c", "-lpam")
	budgets := readBudget(t)
	base, ours := count(t, reference), count(t, lab.Server(t))
	// The kernel may wake a thread late, and Go make one more for it: what a connection
	// costs is the least of some.
	for try := 0; try < 4 && exceeds(ours, base, budgets); try++ {
		for name, n := range count(t, lab.Server(t)) {
			ours[name] = min(ours[name], n)
		}
	}
	for _, b := range budgets {
		t.Run(b.name, func(t *testing.T) {
			extra := ours[b.name] - base[b.name]
			t.Logf("%s: %d, the C reference %d: %d more, of %d", b.name, ours[b.name], base[b.name], extra, b.limit)
			if extra > b.limit {
				t.Errorf("%s = %d more than the C reference's %d; want at most %d more (%s). A reason to spend more goes into budget.txt with the new number",
					b.name, extra, base[b.name], b.limit, b.why)
			}
		})
	}
}

func exceeds(ours, base map[string]int, budgets []budget) bool {
	for _, b := range budgets {
		if ours[b.name]-base[b.name] > b.limit {
			return true
		}
	}
	return false
}

type budget struct {
	name  string
	limit int
	why   string
}

func readBudget(t *testing.T) []budget {
	t.Helper()
	f, err := os.Open("budget.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []budget
	for in := bufio.NewScanner(f); in.Scan(); {
		fields := strings.Fields(in.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		limit, err := strconv.Atoi(fields[min(1, len(fields)-1)])
		if err != nil || len(fields) < 3 {
			t.Fatalf("budget.txt: %q: want a name, a number and a reason", in.Text())
		}
		list = append(list, budget{fields[0], limit, strings.Join(fields[2:], " ")})
	}
	if len(list) == 0 {
		t.Fatal("budget.txt has no line")
	}
	return list
}

// count is what one connection costs: system calls by name, their sum as "system-calls", "page-faults",
// "switches", the times that a thread of it went to sleep, and "threads".
func count(t *testing.T, exe string) map[string]int {
	t.Helper()
	least := map[string]int{"page-faults": 1 << 30, "switches": 1 << 30, "system-calls": 1 << 30}
	for range 20 { // what the scheduler adds varies; the least is the program's own
		usage := serveOne(t, once, exe).SysUsage().(*syscall.Rusage)
		least["page-faults"] = min(least["page-faults"], int(usage.Minflt))
		least["switches"] = min(least["switches"], int(usage.Nvcsw))
	}
	for range 5 {
		trace := filepath.Join(t.TempDir(), "trace")
		serveOne(t, once, "strace", "-f", "-qq", "-o", trace, exe)
		if calls := readTrace(t, trace); calls["system-calls"] < least["system-calls"] {
			calls["page-faults"], calls["switches"] = least["page-faults"], least["switches"]
			least = calls
		}
	}
	least["threads"] = threads(t, exe)
	return least
}

// threads is how many there are beside the first one while the command runs: Go's runtime ends none. A trace would make
// it start more, since threads meet later than they do otherwise.
func threads(t *testing.T, exe string) int {
	t.Helper()
	least := 1 << 30
	for range 10 {
		serveOne(t, func(at rig.Target) error {
			s, err := at.Open("echo /proc/$PPID/task/*", false)
			if err != nil {
				return err
			}
			text := make([]byte, 4096)
			n, err := rig.Read(s.FD, text)
			if err != nil {
				return err
			}
			least = min(least, len(strings.Fields(string(text[:n])))-1)
			_, err = s.Finish()
			return err
		}, exe)
	}
	return least
}

// once is a connection with `true` as the command.
func once(at rig.Target) error {
	_, _, err := at.Once(false)
	return err
}

// serveOne runs a server program for one connection, as inetd would.
func serveOne(t *testing.T, ask func(rig.Target) error, argv ...string) *os.ProcessState {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answered := make(chan error, 1)
	go func() {
		answered <- ask(rig.Loopback(l.Addr().(*net.TCPAddr).Port))
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := conn.(*net.TCPConn).File()
	conn.Close()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = socket, socket, socket
	syscall.SetNonblock(int(socket.Fd()), false)
	err = cmd.Start()
	socket.Close()
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	if err := <-answered; err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	return cmd.ProcessState
}

var call = regexp.MustCompile(`^(\d+) +([a-z0-9_]+)\(`)

// Calls whose number depends on what the scheduler did: Go's threads meet, wait and wake each other.
var scheduling = map[string]bool{"futex": true, "nanosleep": true, "clock_nanosleep": true, "sched_yield": true, "tgkill": true, "getpid": true, "rt_sigreturn": true,
	"epoll_pwait": true, "restart_syscall": true, "madvise": true}

// readTrace counts the calls of the server's own threads and of its child up to the start of the shell.
func readTrace(t *testing.T, path string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	calls, shell := map[string]int{}, map[string]bool{}
	for line := range strings.Lines(string(text)) {
		m := call.FindStringSubmatch(line)
		if m == nil || shell[m[1]] {
			continue
		}
		if strings.Contains(line, `execve("/bin/sh"`) {
			shell[m[1]] = true
		}
		if name := m[2]; !scheduling[name] {
			calls[name]++
			calls["system-calls"]++
		}
	}
	if len(shell) != 1 || calls["system-calls"] < 100 {
		t.Fatalf("trace of %d calls and %d shells is not one connection's: %s", calls["system-calls"], len(shell), fmt.Sprint(calls))
	}
	return calls
}
