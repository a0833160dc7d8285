package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// handOver starts rexecd as inetd does for "wait", but with a standard error of the test's.
func handOver(t testing.TB, stderr func(listening *os.File) *os.File, flags ...string) *standing {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &standing{addr: l.Addr().String(), cmd: exec.Command(lab.Rexecd(t), flags...)}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = f, f, stderr(f)
	s.log = lab.Room{}.Command(t, s.cmd)
	return s
}

// openFrom runs cat from another address of this host, and returns when it runs.
func openFrom(t testing.TB, from, addr string, u lab.User) net.Conn {
	t.Helper()
	c := lab.DialFrom(t, from, addr)
	status := []byte{'x'}
	if _, err := c.Write(request(u, "cat").Bytes()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(status); err != nil || status[0] != 0 {
		t.Fatalf("from %s: %q, %v", from, status, err)
	}
	return c
}

// inetd's "wait" makes the listening socket descriptor 2; a terminal or a log program may have
// ended. A supervisor that died of its messages would be started anew, and count from 0.
func TestLimitsHoldWhereNobodyReadsStandardError(t *testing.T) {
	t.Parallel()
	stderrs := map[string]func(*os.File) *os.File{
		"the listening socket": func(listening *os.File) *os.File { return listening },
		"a pipe without a reader": func(*os.File) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			t.Cleanup(func() { w.Close() })
			return w
		},
	}
	for name, stderr := range stderrs {
		for _, mode := range [][]string{{"-standby", "2"}, {"-debug"}} {
			t.Run(name+", "+mode[0], func(t *testing.T) {
				t.Parallel()
				s := handOver(t, stderr, append(mode, "-max", "2", "-max-per-source", "1")...)
				u := newUser(t, lab.User{})
				first := openFrom(t, "127.0.0.1", s.addr, u)
				for range 10 {
					if a := lab.Ask(t, s.addr, request(u, "echo no")); strings.Contains(a.Out(), "no") || len(a.All) > 0 && a.Status() != 1 {
						t.Fatalf("one too many: %v", a)
					}
				}
				s.log.Wait(t, "refused a connection from 127.0.0.1/32: 1 sessions at once are its limit")
				s.log.Wait(t, "Accepted password for "+u.Name+" from 127.0.0.1")
				s.cmd.Process.Signal(syscall.SIGHUP)
				s.log.Wait(t, "reloading: ")
				if a := lab.Ask(t, s.addr, request(u, "echo no")); strings.Contains(a.Out(), "no") {
					t.Errorf("after a message more: %v", a)
				}
				openFrom(t, "127.0.0.2", s.addr, u)
				third := make(chan string)
				go func() { third <- askFrom(t, "127.0.0.3", s.addr, request(u, "echo third")) }()
				s.wantNotListenedAs2(t)
				select {
				case got := <-third:
					t.Errorf("one more than -max: %q", got)
				case <-time.After(100 * time.Millisecond):
				}
				first.Close()
				if got := <-third; got != "\x00third\n" {
					t.Errorf("the one that waited: %q", got)
				}
				if !alive(itoa(s.cmd.Process.Pid)) {
					t.Error("the supervisor has ended")
				}
			})
		}
	}
}

func TestLimitsHoldUnderRealInetdsWait(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	for port, argv := range map[string][]string{
		"5161": {lab.Deb(t, "openbsd-inetd") + "/usr/sbin/inetd", "-i"},
		"5162": {lab.Deb(t, "inetutils-inetd") + "/usr/sbin/inetutils-inetd", "-d", "-p", dir + "/pid"},
	} {
		t.Run(filepath.Base(argv[0])+" "+port, func(t *testing.T) {
			t.Parallel()
			s := &standing{addr: "127.0.0.1:" + port}
			conf := filepath.Join(dir, port)
			line := s.addr + " stream tcp wait root " + lab.Rexecd(t) + " " + filepath.Base(lab.Rexecd(t)) + " -standby 2 -max-per-source 1\n"
			if err := os.WriteFile(conf, []byte(line), 0o644); err != nil {
				t.Fatal(err)
			}
			s.cmd = exec.Command(argv[0], append(argv[1:len(argv):len(argv)], conf)...)
			s.log = lab.Room{}.Command(t, s.cmd)
			listening(t, s.addr)
			u := newUser(t, lab.User{})
			openFrom(t, "127.0.0.1", s.addr, u)
			supervisor := s.children()
			if len(supervisor) != 1 {
				t.Fatalf("inetd has the children %v; want one", supervisor)
			}
			t.Cleanup(func() { lab.Run(t, "kill", "-TERM", supervisor[0]) })
			for range 30 {
				if a := lab.Ask(t, s.addr, request(u, "echo no")); strings.Contains(a.Out(), "no") || len(a.All) > 0 && a.Status() != 1 {
					t.Fatalf("one too many: %v", a)
				}
			}
			s.log.Wait(t, "refused a connection from 127.0.0.1/32: 1 sessions at once are its limit")
			if now := s.children(); !slices.Equal(now, supervisor) {
				t.Errorf("the supervisor was %v and is %v", supervisor, now)
			}
			openFrom(t, "127.0.0.2", s.addr, u)
		})
	}
}

// wantNotListenedAs2 checks that no handler has the listening socket among its standard
// descriptors.
func (s *standing) wantNotListenedAs2(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	for _, child := range s.children() {
		for _, fd := range []string{"0", "1", "2"} {
			link, _ := os.Readlink("/proc/" + child + "/fd/" + fd)
			inode := strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")
			if link != inode && strings.Contains(lab.Run(t, "ss", "-Hltne", "sport", "=", ":"+port), "ino:"+inode+" ") {
				t.Errorf("handler %s has the listening socket as descriptor %s", child, fd)
			}
		}
	}
}

// What opened the file of a socket is what nft's skuid and iptables' owner go by, for good.
func TestTheSupervisorsConnectionsAreNotRoots(t *testing.T) {
	t.Parallel()
	for _, mode := range [][]string{{"-standby", "2"}, {"-debug"}} {
		t.Run(mode[0], func(t *testing.T) {
			t.Parallel()
			s := stand(t, lab.Room{}, lab.Rexecd(t), nil, mode...)
			_, port, _ := net.SplitHostPort(s.addr)
			table := "skuid" + port
			lab.Run(t, "nft", "add table ip "+table+"; add chain ip "+table+" out { type filter hook output priority 0; }; "+
				"add rule ip "+table+" out tcp sport "+port+" tcp flags & (syn|ack) == ack meta skuid 0 counter; "+
				"add rule ip "+table+" out tcp sport "+port+" meta skuid > 65533 counter")
			c := lab.Dial(t, s.addr)
			lab.Eventually(t, "a handler to have the connection", func() bool { return s.handlerOf(c) != "" })
			local := c.LocalAddr().(*net.TCPAddr)
			sockets := lab.Run(t, "ss", "-Htne", "sport", "=", ":"+port, "dport", "=", ":"+itoa(local.Port))
			if !strings.Contains(sockets, "uid:4294967294 ") {
				t.Errorf("the accepted socket is %q; want one of uid 4294967294", sockets)
			}
			wantAll(t, s.addr, lab.Request{User: "nobody at all", Password: "x", Command: "x"}, loginIncorrect)
			counters := lab.Run(t, "nft", "list table ip "+table)
			if !strings.Contains(counters, "skuid 0 counter packets 0 ") {
				t.Errorf("packets go out as root's:\n%s", counters)
			}
			if !strings.Contains(counters, "skuid > 65533 counter packets") || strings.Contains(counters, "skuid > 65533 counter packets 0 ") {
				t.Errorf("no packets go out as nobody's:\n%s", counters)
			}
		})
	}
}

func TestWrongSettingsNeitherCloseThePortNorNeedARestart(t *testing.T) {
	t.Parallel()
	config := filepath.Join(openDir(t), "config")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text+"[penalties]\nenabled = false\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("\nnonsense = 1\n")
	u := newUser(t, lab.User{})
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2", "-config", config)
	lab.Eventually(t, "the mistake to be told", func() bool { return strings.Contains(s.out.String(), config+":2:") })
	before := s.wantWaiting(t, 2)
	wantAll(t, s.addr, request(u, "true"), "\x01Try again.\n")
	s.log.Wait(t, "Configuration error: "+config+":2:")
	before = slices.DeleteFunc(before, func(pid string) bool { return !alive(pid) })
	write("")
	lab.Eventually(t, "a handler that had found the mistake to serve", func() bool {
		wantOut(t, s.addr, request(u, "echo mended"), "mended\n")
		return slices.ContainsFunc(before, func(pid string) bool { return !alive(pid) })
	})
}

// A server that dies at poll(2) would close the port.
func TestMoreSessionsThanHalfTheDescriptorsAreServed(t *testing.T) {
	t.Parallel()
	s := &standing{addr: freeAddr(t), out: &output{}}
	s.cmd = exec.Command("prlimit", "--nofile=64:64", lab.Rexecd(t), "-debug", "-listen", s.addr)
	s.cmd.Stderr = s.out
	lab.Room{}.Command(t, s.cmd)
	listening(t, s.addr)
	for range 45 {
		lab.Dial(t, s.addr)
	}
	lab.Eventually(t, "45 handlers", func() bool { return len(s.children()) == 45 })
	wantAll(t, s.addr, lab.Request{User: "nobody at all", Password: "x", Command: "x"}, loginIncorrect)
	for range 100 { // and now none is left
		lab.Dial(t, s.addr)
	}
	lab.Eventually(t, "it runs short", func() bool { return strings.Contains(s.out.String(), "too many open files") })
	if !alive(itoa(s.cmd.Process.Pid)) {
		t.Errorf("the supervisor has ended: %q", s.out)
	}
}

// glibc's rexec(3) waits in accept() for the stderr connection, without limit.
func TestGlibcsRexecIsToldOfTheLimitOfItsSource(t *testing.T) {
	t.Parallel()
	for _, mode := range [][]string{{"-standby", "2"}, {"-debug"}} {
		t.Run(mode[0], func(t *testing.T) {
			t.Parallel()
			s := stand(t, lab.Room{}, lab.Rexecd(t), nil, append(mode, "-max-per-source", "1")...)
			u := newUser(t, lab.User{})
			openFrom(t, "127.0.0.1", s.addr, u)
			for _, family := range []string{"4", "-4"} {
				r := rexec(t, s.addr, u, "echo no", "", family)
				if r.out != "" || !strings.HasSuffix(r.err, ".\n") || strings.Count(r.err, "\n") != 1 || r.status != 1 {
					t.Errorf("family %s: %+v; want one line", family, r)
				}
			}
			openFrom(t, "127.0.0.2", s.addr, u)
		})
	}
}
