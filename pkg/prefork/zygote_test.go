package prefork

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A running is a Supervisor of the processes that TestMain plays.
type running struct {
	*Supervisor
	addr    string
	log     *bufio.Scanner
	signals int
}

func runWithZygote(t *testing.T, zygote string, watch ...string) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	var signals [2]int
	if err := unix.Pipe2(signals[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	log, logged, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log.SetReadDeadline(time.Now().Add(30 * time.Second))
	s := &Supervisor{Listeners: []int{int(f.Fd())}, Idle: 2, Path: "/proc/self/exe", Warm: []string{"warm"}, Zygote: []string{zygote},
		Service: "x", Watch: watch, Stderr: 2, Log: logged, Signals: signals[0], startTime: 2 * time.Second}
	end := make(chan error)
	go func() { end <- s.Run() }()
	t.Cleanup(func() {
		unix.Write(signals[1], []byte{byte(unix.SIGTERM)})
		go io.Copy(io.Discard, log)
		if err := <-end; err != nil {
			t.Error(err)
		}
		for _, h := range s.handlers {
			if h.pid > 0 { // made already
				s.kill(h)
				unix.Wait4(h.pid, nil, 0, nil)
			}
		}
		for _, z := range s.zygotes {
			unix.Kill(z.pid, unix.SIGKILL)
			unix.Wait4(z.pid, nil, 0, nil)
		}
		logged.Close()
		log.Close()
		f.Close()
		unix.Close(signals[0])
		unix.Close(signals[1])
	})
	return &running{s, l.Addr().String(), bufio.NewScanner(log), signals[1]}
}

// says fails the test unless the next line of the log is the one that is wanted.
func (r *running) says(t *testing.T, want string) {
	t.Helper()
	if !r.log.Scan() || r.log.Text() != want {
		t.Fatalf("it said %q (%v); want %q", r.log.Text(), r.log.Err(), want)
	}
}

// serves fails the test unless a handler answers.
func (r *running) serves(t *testing.T) {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasSuffix(line, " true\n") {
		t.Fatalf("%q, %v", line, err)
	}
}

const forked = "the process that handlers are forked from "

func TestAZygoteThatHangsIsKilled(t *testing.T) {
	t.Parallel()
	for _, zygote := range []string{"mute", "parting"} { // asked for a handler, it says nothing; its socket is closed
		t.Run(zygote, func(t *testing.T) {
			t.Parallel()
			r := runWithZygote(t, zygote)
			r.says(t, forked+"hangs (a PAM module, a name service?): killed")
			r.serves(t)
		})
	}
}

// As one that waits for a file system that does not answer.
func TestAZygoteThatDoesNotDieHoldsNoPlace(t *testing.T) {
	h := &handler{pidfd: -1, control: -1}
	z := &zygote{pidfd: -1, channel: -1, ready: true, due: time.Unix(1, 0), asked: []*handler{h}}
	s := Supervisor{Idle: 1, Log: io.Discard, handlers: []*handler{h}, zygotes: []*zygote{z}}
	s.killHanging()
	if !s.wanted() || s.zygote() != nil {
		t.Errorf("wanted() = %t, zygote() = %v", s.wanted(), s.zygote())
	}
}

// Its talk was over before the zygote's answer was read: a module has closed it.
func TestAHandlerWithoutATalkIsKilledOnceItIsKnown(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	h := &handler{pidfd: -1, control: -1, due: time.Now().Add(time.Hour)}
	s := Supervisor{Idle: 1, Log: io.Discard, handlers: []*handler{h}}
	s.kill(h) // as readReport does
	s.made(&zygote{channel: -1, asked: []*handler{h}}, cmd.Process.Pid)
	defer unix.Close(h.pidfd)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it still waits")
		cmd.Process.Kill()
		<-ended
	}
}

// They count against their user's RLIMIT_NPROC until they are reaped, however busy this is.
func TestAdoptedProcessesAreReapedWhileHandlersAreMade(t *testing.T) {
	z := &zygote{channel: 1, ready: true, asked: []*handler{{}}}
	s := Supervisor{Idle: 2, zygotes: []*zygote{z}, adopts: true, hasAdopted: true, orphansSeen: time.Now()}
	if s.orphansDue() || s.awaitsZygote() {
		t.Errorf("just reaped: due %t, no handler is asked for: %t", s.orphansDue(), s.awaitsZygote())
	}
	s.orphansSeen = time.Now().Add(-3 * time.Second)
	if s.orphansDue() || !s.awaitsZygote() {
		t.Errorf("a handler is being made: due %t, no other is asked for: %t", s.orphansDue(), s.awaitsZygote())
	}
	z.asked, s.adopts = nil, false
	if !s.orphansDue() || s.awaitsZygote() {
		t.Errorf("none is: due %t, no handler is asked for: %t", s.orphansDue(), s.awaitsZygote())
	}
	// More are left, and a handler is made after all: that ends it, and not this process's turns.
	s.adopts, s.moreOrphans, s.Idle = true, true, 0
	if s.timeout(-1) == 0 {
		t.Error("it waits for nothing, again and again")
	}
}

func TestWhereNoZygoteCanBeHadHandlersAreExecuted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	for zygote, want := range map[string]string{
		"refusing": "a reason: each handler is started anew, which takes longer",
		"dying":    forked + "died: exit status 3",
	} {
		t.Run(zygote, func(t *testing.T) {
			r := runWithZygote(t, zygote, file)
			for range 5 {
				r.serves(t)
			}
			r.says(t, want)
			// Once, until somebody asks anew.
			unix.Write(r.signals, []byte{byte(unix.SIGHUP)})
			r.says(t, "reloading: handlers that wait are replaced")
			r.says(t, want)
			r.serves(t)
			if zygote == "dying" {
				return // which is tried again in any case
			}
			os.WriteFile(file, []byte("x"), 0o644)
			time.Sleep(2 * lookEvery)
			r.serves(t)
			r.says(t, "what handlers are made of has changed: the next ones load it anew")
		})
	}
}

func TestAChangeOfAnyWatchedFileIsNoticed(t *testing.T) {
	dir := t.TempDir()
	file, sub := filepath.Join(dir, "file"), filepath.Join(dir, "sub")
	absent := filepath.Join(dir, "absent")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "a")
	write(sub+"/one", "a")
	if err := os.Symlink("sub/one", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	s := Supervisor{Path: "/bin/sh", Watch: []string{file, sub, absent, dir + "/link"}}
	s.look()
	past := time.Unix(1e9, 0)
	for _, c := range []struct {
		what    string
		do      func()
		changed bool
	}{
		{"nothing", func() {}, false},
		{"contents", func() { write(file, "b") }, true},
		{"contents with the old date", func() { write(file, "c"); os.Chtimes(file, past, past) }, true},
		{"a file in a directory", func() { write(sub+"/one", "b") }, true},
		{"another file there", func() { write(sub+"/two", "b") }, true},
		{"one file less", func() { os.Remove(sub + "/two") }, true},
		{"a file that was not there", func() { write(absent, "") }, true},
		{"a replaced file", func() { write(dir+"/new", "c"); os.Rename(dir+"/new", file) }, true},
		{"a read file", func() { os.ReadFile(file) }, false},
	} {
		time.Sleep(5 * time.Millisecond) // longer than the kernel's clock for files
		c.do()
		s.nextLook = time.Time{}
		if got := s.changed(); got != c.changed {
			t.Errorf("%s: changed = %t", c.what, got)
		}
		write(filepath.Join(t.TempDir(), "elsewhere"), "")
	}
	if s.nextLook = time.Now().Add(time.Hour); s.changed() {
		t.Error("it looks more often than it may")
	}
}

// As where a package is upgraded while a zygote starts that an upgrade of another has called for.
func TestAChangeDuringTheStartOfAZygoteIsNoticed(t *testing.T) {
	dir := t.TempDir()
	file, library := filepath.Join(dir, "file"), filepath.Join(dir, "library")
	for _, change := range []string{file, library, ""} {
		for _, path := range []string{file, library} {
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s := Supervisor{Path: "/bin/sh", Watch: []string{file}, mapped: []string{library}} // the one before had it as well
		s.look()
		if change != "" {
			os.WriteFile(change, []byte("newer"), 0o644)
		}
		s.loaded([]string{library})
		for _, want := range []bool{change != "", false} {
			s.nextLook = time.Time{}
			if got := s.changed(); got != want {
				t.Errorf("%q: changed = %t; want %t", change, got, want)
			}
		}
	}
}

func TestOneMessageIsSaidOnce(t *testing.T) {
	var out bytes.Buffer
	s := Supervisor{Log: &out}
	for range 3 {
		s.sayOnce("one")
	}
	s.sayOnce("two")
	if out.String() != "one\ntwo\n" {
		t.Errorf("%q", out.String())
	}
}
