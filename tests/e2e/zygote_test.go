package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

// zygote is the process that the supervisor's handlers are forked from, "" while there is none
// that listens to it. A handler has the zygote's arguments for a moment: the zygote is the first.
func (s *standing) zygote() string {
	first := 0
	for _, child := range s.children() {
		pid, _ := strconv.Atoi(child)
		if (first == 0 || pid < first) && strings.Contains(read("/proc/"+child+"/cmdline"), "\x00-zygote\x00") && alive(child) {
			first = pid
		}
	}
	if first == 0 {
		return ""
	}
	return itoa(first)
}

// forked waits until a zygote other than the one given is there.
func (s *standing) forked(t testing.TB, not string) string {
	t.Helper()
	var pid string
	lab.Eventually(t, "a new zygote", func() bool { pid = s.zygote(); return pid != "" && pid != not })
	return pid
}

// threaded is a PAM stack whose module starts a thread when it is loaded.
func threaded(t testing.TB) string {
	t.Helper()
	module := filepath.Join(openDir(t), "thread.so")
	lab.Run(t, "cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-o", module, "testdata/pam-thread.c", "-lpam", "-pthread")
	return lab.Stack + "session optional " + module + "\n"
}

// What a process inherits and a command would. Started in an environment where each differs from
// what everybody has.
const unusual = `umask 027; ulimit -n 777; ulimit -s 4096; ulimit -c 1000; cd /usr; trap "" HUP; echo 300 >/proc/self/oom_score_adj
exec nice -n 3 setpriv --securebits=+keep_caps_locked --bounding-set=-sys_boot chrt -b 0 taskset -c 0 "$@"`

func unusually(t testing.TB, stack string) *standing {
	t.Helper()
	s := &standing{addr: freeAddr(t), out: &output{}}
	s.cmd = exec.Command("sh", "-c", unusual, "sh", lab.Rexecd(t), "-standby", "2", "-listen", s.addr)
	s.cmd.Env = append(os.Environ(), "MARK=1", "NOTIFY_SOCKET=/nowhere")
	s.cmd.Stderr = s.out
	s.log = lab.Room{Stack: stack}.Command(t, s.cmd)
	listening(t, s.addr)
	return s
}

func TestAForkedHandlerHasWhatAnExecutedOneHas(t *testing.T) {
	t.Parallel()
	forking, executing := unusually(t, ""), unusually(t, threaded(t))
	u := newUser(t, lab.User{})
	forking.forked(t, "")
	lab.Eventually(t, "the thread is noticed", func() bool {
		return strings.Contains(executing.out.String(), "has started a thread: each handler is started anew")
	})
	for range 3 {
		s := []string{forking.wantWaiting(t, 2)[0], executing.wantWaiting(t, 2)[0]}
		for _, pid := range s {
			// In epoll_wait, with all that it opens before.
			lab.Eventually(t, "a handler waits", func() bool { return strings.Contains(read("/proc/"+pid+"/wchan"), "poll") })
		}
		got, want := inherits(t, s[0]), inherits(t, s[1])
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s:\n%s\nof the executed one:\n%s", name, got[name], want[name])
			}
		}
		for _, x := range []*standing{forking, executing} {
			wantOut(t, x.addr, request(u, "echo next"), "next\n")
		}
	}
	// What /proc shows to the process itself alone.
	const look = "setpriv -d; awk '{print $1, $8, $9}' /proc/keys; ulimit -a; nice"
	if got, want := out(t, forking.addr, request(u, look)), out(t, executing.addr, request(u, look)); got != want || !strings.Contains(got, "keep_caps_locked") {
		t.Errorf("a command's rights and keys are\n%s\nwhere handlers are executed\n%s", got, want)
	}
	if executing.zygote() != "" || strings.Count(executing.out.String(), "started a thread") != 1 {
		t.Errorf("with a threaded module: zygote %q, %q", executing.zygote(), executing.out)
	}
}

// inherits is what /proc shows of a process and of its start.
func inherits(t testing.TB, pid string) map[string]string {
	t.Helper()
	at := "/proc/" + pid + "/"
	seen := map[string]string{}
	for _, name := range []string{"cmdline", "environ", "limits", "cgroup", "oom_score_adj", "timerslack_ns", "loginuid", "sessionid", "comm", "personality", "coredump_filter", "attr/current", "uid_map"} {
		seen[name] = read(at + name)
	}
	for line := range strings.Lines(read(at + "status")) {
		name, value, _ := strings.Cut(line, ":")
		if strings.HasPrefix(name, "Sig") && name != "SigQ" || strings.HasPrefix(name, "Cap") || slices.Contains([]string{"Umask", "Uid", "Gid",
			"Groups", "ShdPnd", "NoNewPrivs", "Seccomp", "Cpus_allowed", "Mems_allowed", "CoreDumping", "Kthread"}, name) {
			seen[name] = value
		}
	}
	for _, link := range []string{"cwd", "root", "exe", "ns/net", "ns/pid"} {
		seen[link], _ = os.Readlink(at + link)
	}
	for _, fd := range glob(at + "fd/*") {
		link, _ := os.Readlink(fd)
		flags := regexp.MustCompile(`flags:\s*(\d+)`).FindString(read(at + "fdinfo/" + filepath.Base(fd)))
		seen["descriptors"] += filepath.Base(fd) + " " + strings.TrimRight(link, "0123456789[]") + " " + flags + "\n"
	}
	stat := strings.Fields(read(at + "stat")[strings.Index(read(at+"stat"), ")"):])
	seen["exit signal, priority, nice, scheduler"] = fmt.Sprint(stat[36], stat[16], stat[17], stat[39])
	n := 0
	fmt.Sscan(pid, &n)
	pgid, _ := unix.Getpgid(n)
	sid, _ := unix.Getsid(n)
	supervisor := 0
	fmt.Sscan(stat[2], &supervisor)
	seen["group"], seen["session"] = fmt.Sprint(pgid == supervisor), fmt.Sprint(sid == mustSid(t, supervisor))
	return seen
}

func mustSid(t testing.TB, pid int) int {
	t.Helper()
	sid, err := unix.Getsid(pid)
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

// Nothing of the peers', and no way to them.
func TestTheZygoteHasNoSocketButTheSupervisors(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2")
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
	for range 4 {
		wantOut(t, s.addr, request(u, "echo served"), "served\n")
	}
	var sockets []string
	zygote := s.forked(t, "")
	for _, fd := range glob("/proc/" + zygote + "/fd/*") {
		if link, _ := os.Readlink(fd); strings.HasPrefix(link, "socket:") {
			sockets = append(sockets, filepath.Base(fd))
		}
	}
	if fmt.Sprint(sockets) != "[3]" {
		t.Errorf("the zygote has the sockets %v; want 3 alone", sockets)
	}
	// Its own end of that is nobody else's.
	own, _ := os.Readlink("/proc/" + zygote + "/fd/3")
	for _, child := range append(s.children(), strings.Fields(read("/proc/"+s.handlerOf(session.Primary)+"/task/"+s.handlerOf(session.Primary)+"/children"))...) {
		for _, fd := range glob("/proc/" + child + "/fd/*") {
			if link, _ := os.Readlink(fd); link == own && child != zygote {
				t.Errorf("process %s has the zygote's socket as %s", child, filepath.Base(fd))
			}
		}
	}
	session.Reset(t)
}

// A change that a handler must not miss by being a fork of what was loaded before it.
func TestChangesReplaceTheZygote(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	for _, program := range []string{lab.Server(t), lab.Rexecd(t)} {
		lab.Run(t, "cp", program, dir)
	}
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("[penalties]\nenabled = false\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	room := lab.Room{Files: map[string]string{"/etc/nsswitch.conf": read("/etc/nsswitch.conf")}}
	s := stand(t, room, filepath.Join(dir, "rexecd"), nil, "-standby", "2", "-config", config)
	u := newUser(t, lab.User{})
	inRoom := "/proc/" + itoa(s.cmd.Process.Pid) + "/root"
	server := filepath.Join(dir, "in.rexecd")
	signal := func(to func() string, sig syscall.Signal) func() {
		return func() { lab.Run(t, "kill", "-"+itoa(int(sig)), to()) }
	}
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"SIGHUP", signal(func() string { return itoa(s.cmd.Process.Pid) }, syscall.SIGHUP)},
		{"PAM's file", func() { touch(t, inRoom+"/etc/pam.d/rexec") }},
		{"the name services' file", func() { touch(t, inRoom+"/etc/nsswitch.conf") }},
		{"the settings", func() { touch(t, config) }},
		{"an upgrade", func() { lab.Run(t, "cp", server, server+".new"); lab.Run(t, "mv", server+".new", server) }},
		{"the death of a handler that waits", signal(func() string { return s.wantWaiting(t, 2)[0] }, syscall.SIGSEGV)},
		{"its own death", signal(s.zygote, syscall.SIGKILL)},
	} {
		before, idle := s.forkedOnly(t, u)
		c.do()
		forks := 0
		lab.Eventually(t, c.name+" replaces the zygote", func() bool {
			if forks++; forks > 500 {
				t.Fatalf("%s does not replace the zygote; what does is its 1,000th fork", c.name)
			}
			wantOut(t, s.addr, request(u, "echo served"), "served\n")
			now := s.zygote()
			return now != "" && now != before && !alive(before)
		})
		s.wantWaiting(t, 2)
		if strings.Contains(c.name, "handler") && alive(idle[1]) {
			t.Errorf("%s: process %s still waits, with the same addresses", c.name, idle[1])
		}
	}
	before, _ := s.forkedOnly(t, u)
	session := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
	lab.Run(t, "kill", "-SEGV", s.handlerOf(session.Primary))
	s.forked(t, before)
	lab.Eventually(t, "it is logged", func() bool { return strings.Contains(s.out.String(), "a handler crashed") })
}

// forkedOnly waits until all handlers that wait were forked from the zygote, which takes a moment
// to start: until then they are executed.
func (s *standing) forkedOnly(t testing.TB, u lab.User) (zygote string, waiting []string) {
	t.Helper()
	lab.Eventually(t, "only forked handlers wait", func() bool {
		zygote = s.zygote()
		waiting = s.wantWaiting(t, 2)
		forked := slices.IndexFunc(waiting, func(pid string) bool { return loadedAt(pid) != loadedAt(zygote) }) < 0
		if !forked {
			wantOut(t, s.addr, request(u, "echo served"), "served\n")
		}
		return forked && zygote == s.zygote()
	})
	return zygote, waiting
}

// loadedAt is where a process has its program.
func loadedAt(pid string) string {
	stat := strings.Fields(read("/proc/" + pid + "/stat")) // "(in.rexecd)" is one field
	if len(stat) < 26 {
		return ""
	}
	return stat[25]
}

// touch changes a file as an editor that keeps its size does.
func touch(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(read(path)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// As many as have the same addresses and guards: 1,000. Alone: other tests change the files that
// a zygote is made of.
func TestAZygoteMakesAThousandHandlers(t *testing.T) {
	s := stand(t, lab.Room{Stack: "auth required pam_deny.so\n"}, lab.Rexecd(t), nil, "-standby", "8")
	first := s.forked(t, "")
	connect := func(n int) {
		var wg sync.WaitGroup
		for range 10 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range n / 10 {
					c, err := net.Dial("tcp", s.addr)
					if err != nil {
						t.Error(err)
						return
					}
					c.(*net.TCPConn).CloseWrite()
					c.Read(make([]byte, 1)) // its handler has ended
					c.Close()
				}
			}()
		}
		wg.Wait()
	}
	connect(900)
	if now := s.zygote(); now != first {
		t.Errorf("the zygote was %s and is %s after 900 connections", first, now)
	}
	connect(120)
	s.forked(t, first)
	lab.Eventually(t, "the first one has ended", func() bool { return !alive(first) })
	s.wantWaiting(t, 8)
}
