package attack

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

var module struct {
	sync.Once
	path string
}

// hostileStack is pam_unix with the module around it, which does what it is told and takes no
// decision, and a record of the sessions in dir.
func hostileStack(t testing.TB, dir, does string) string {
	t.Helper()
	module.Do(func() { module.path = compile(t, "hostile.c", "-shared", "-fPIC") })
	line := " optional " + module.path + " " + does + "\n"
	return "auth" + line + "auth required pam_unix.so nodelay\naccount" + line + "account required pam_unix.so\n" +
		"session optional pam_exec.so quiet " + dir + "/note\nsession required pam_permit.so\nsession" + line
}

// modules are what a module does and when, and what the peer sees of it for the right password.
var modules = []struct {
	does string
	want string // the answer for the right password and the command `echo in`
	ends string // "open": the session stays open, for the process died in it; "unrecorded": the module hinders
	// the record, or takes the runtime's descriptors away, which ends it at some time
}{
	{"auth=hang", "", ""},
	{"auth=spin", "", ""},
	{"acct=hang", "", ""},
	{"open=hang", "", "open"},
	{"setcred=hang", "", ""},
	{"auth=segv", "", ""},
	{"acct=segv", "", ""},
	{"open=segv", "", "open"},
	{"close=segv", "\x00in\n", ""},
	{"auth=abort", "", ""},
	{"auth=exit", "", ""},
	{"open=exit", "", "open"},
	{"open=raise", "", "open"},
	{"auth=fork", "\x00in\n", ""},
	{"open=fork", "\x00in\n", ""},
	{"auth=leak", "\x00in\n", ""},
	{"open=leak", "\x00in\n", ""},
	{"auth=close", "", "unrecorded"},
	{"auth=print", "\x00in\n", ""},
	{"open=print", "\x00in\n", ""},
	{"auth=talk", "\x00in\n", ""},
	{"auth=user:root", loginIncorrect, ""},
	{"auth=nouser", "\x00in\n", ""},
	{"acct=user:root", loginIncorrect, ""},
	{"open=user:root", tryAgain, "unrecorded"},
	{"auth=cwd", "\x00in\n", ""},
	{"auth=umask", "\x00in\n", ""},
	{"open=euid", tryAgain, ""},
	{"open=uid", tryAgain, ""},
	{"auth=signals", "\x00in\n", ""},
	{"open=signals", "\x00in\n", ""},
	{"open=alarm", "\x00in\n", ""},
	{"open=limits", "\x00in\n", "unrecorded"},
	{"open=dumpable", "\x00in\n", ""},
	{"auth=env", "\x00in\n", ""},
	{"auth=garbage", loginIncorrect, ""},
	{"auth=ask", loginIncorrect, ""},
}

// Whatever a module does, the peer sees the protocol or silence; nobody comes in who could not
// without it; and the next connection is served.
func TestModulesThatMisbehaveLetNobodyInAndHurtNobodyElse(t *testing.T) {
	t.Parallel()
	for _, c := range modules {
		t.Run(c.does, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, lab.User{})
			dir := openDir(t)
			note := "#!/bin/sh\necho $PAM_USER >>" + dir + "/$PAM_TYPE\n"
			write(t, dir+"/note", note)
			grace := "grace = 60"
			if strings.HasSuffix(c.does, "hang") || strings.HasSuffix(c.does, "spin") {
				grace = "grace = 3"
			}
			s := serve(t, lab.Handler{Settings: grace, Room: lab.Room{Stack: hostileStack(t, dir, c.does)}})
			if a := lab.Ask(t, s.Addr, request(u, "echo in")); string(a.All) != c.want {
				t.Errorf("the right password: %v; want %q", a, c.want)
			}
			wrong := lab.Ask(t, s.Addr, lab.Request{User: u.Name, Password: "x", Command: "echo in"})
			if a := string(wrong.All); a != "" && a != loginIncorrect {
				t.Errorf("a wrong password: %q", a)
			}
			root := lab.Ask(t, s.Addr, lab.Request{User: "root", Password: u.Password, Command: "echo in"})
			if a := string(root.All); a != "" && a != loginIncorrect {
				t.Errorf("root: %q", a)
			}
			allGone(t, s)
			opened, closed := read(dir+"/open_session"), read(dir+"/close_session")
			if c.ends == "open" && opened != u.Name+"\n" || c.ends == "" && opened != closed {
				t.Errorf("sessions opened %q, closed %q", opened, closed)
			}
			for _, r := range s.Log.Records() {
				if strings.Contains(r["MESSAGE"], "goroutine ") && strings.Contains(r["MESSAGE"], u.Password) {
					t.Errorf("a trace with the password: %q", r["MESSAGE"])
				}
			}
		})
	}
}

// What a module left behind in the process is not in the command.
func TestNothingOfAModuleReachesTheCommandUnlessPAMSaysSo(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	write(t, dir+"/note", "#!/bin/sh\n")
	for _, c := range []struct{ does, command, want string }{
		{"auth=leak open=leak", "ls /proc/$$/fd; :", "0\n1\n2\n"}, // no pipe: the shell may have its ends still
		{"auth=cwd", "pwd", "/home/" + u.Name + "\n"},
		{"auth=signals open=signals", "grep -E 'Sig(Blk|Ign)' /proc/$$/status | tr -d '\\t\\n'", "SigBlk:0000000000000000SigIgn:0000000000000000"},
		{"auth=env", "env | grep -c -E 'LD_|BASH_ENV|IN_THE'", "0\n"},
		{"open=groups", "id -G", lab.Run(t, "id", "-G", u.Name)},
		{"open=umask", "umask", "0000\n"}, // this one is PAM's to say: pam_umask works the same way
		{"open=alarm", "sleep 1.5; echo alive", "alive\n"},
	} {
		t.Run(c.does, func(t *testing.T) {
			t.Parallel()
			s := serve(t, lab.Handler{Room: lab.Room{Stack: hostileStack(t, dir, c.does)}})
			if got := out(t, s.Addr, request(u, c.command)); got != c.want {
				t.Errorf("%s: %q; want %q", c.command, got, c.want)
			}
		})
	}
}

// A module that says yes to everybody without looking lets everybody in whom the server itself
// does not refuse: PAM decides. It is on the list of what is trusted.
func TestAModuleThatSaysYesIsBelieved(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	module.Do(func() { module.path = compile(t, "hostile.c", "-shared", "-fPIC") })
	s := serve(t, lab.Handler{Room: lab.Room{Stack: fmt.Sprintf("auth required %s auth=yes setcred=yes\naccount required %[1]s acct=yes\nsession required %[1]s open=yes close=yes\n", module.path)}})
	want(t, s.Addr, lab.Request{User: u.Name, Password: "x", Command: "id -un"}, "\x00"+u.Name+"\n")
	for _, r := range []lab.Request{
		{User: "root", Password: "x", Command: "id"}, {User: "nosuch", Password: "x", Command: "id"}, {User: u.Name, Command: "id"}, {User: "a/b", Password: "x", Command: "id"},
	} {
		want(t, s.Addr, r, loginIncorrect)
	}
}

// A module that hangs while it closes a session keeps its process, and nothing else: the client
// has had its end.
func TestAModuleThatHangsInCloseSessionHoldsOnlyItsProcess(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	write(t, dir+"/note", "#!/bin/sh\n")
	s := serve(t, lab.Handler{Settings: "grace = 8\n", Room: lab.Room{Stack: hostileStack(t, dir, "close=hang")}})
	want(t, s.Addr, request(u, "echo in"), "\x00in\n")
	if a := lab.Open(t, s.Addr, u.Name, u.Password, "echo in").Rest(t); string(a.All) != "\x00in\n" || a.Err != nil {
		t.Errorf("with a stderr connection: %v", a)
	}
	const late = ": pam_close_session has not returned within 8s"
	if text := s.Log.Raw(); strings.Contains(text, late) {
		t.Errorf("the peer had to wait for it: %q", text)
	}
	allGone(t, s)
	for _, p := range s.Processes() {
		if p.State.ExitCode() != 1 {
			t.Errorf("the handler: %v; want exit status 1", p.State)
		}
	}
	if n := strings.Count(s.Log.Raw(), late); n != 2 {
		t.Errorf("%d records of it: %q", n, s.Log.Raw())
	}
}

// A log that takes nothing does not stop anybody: neither before the command nor after it.
func TestALogThatHangsDelaysAndDoesNotStop(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	mute(t, dir+"/socket")
	mute(t, dir+"/log")
	lay := "mount --bind " + dir + " /run/systemd/journal; mount --bind " + dir + `/log /dev/log; exec "$@"`
	s := serve(t, lab.Handler{Before: []string{"unshare", "-m", "sh", "-c", lay, "sh"}, Room: lab.Room{Stack: "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"}})
	begin := time.Now()
	want(t, s.Addr, request(u, "echo in"), "\x00in\n")
	session := lab.Open(t, s.Addr, u.Name, u.Password, "echo ready; read x; echo $x").Started(t)
	session.Line(t)
	session.Primary.Write([]byte("on\n"))
	if a := session.Rest(t); string(a.All) != "on\n" {
		t.Errorf("%v", a)
	}
	allGone(t, s)
	if took := time.Since(begin); took > lab.Patience {
		t.Errorf("it took %v", took)
	}
}

// mute makes a datagram socket that nobody reads, its queue full.
func mute(t testing.TB, path string) {
	t.Helper()
	in, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(in) })
	if err := syscall.Bind(in, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	full, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(full) })
	for {
		if err := syscall.Sendto(full, []byte("x"), 0, &syscall.SockaddrUnix{Name: path}); err == syscall.EAGAIN {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A peer must be told that there is no room when it is processes that have run out.
func TestExhaustedProcessesAreToldAsTryAgain(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	// A control group of its own, whose limit the session's module sets to what is there already.
	group := controlGroup(t)
	fill := write(t, dir+"/fill", "#!/bin/sh\n[ $PAM_TYPE = open_session ] && n=$(($(cat "+group+"/pids.current) - 2)) || n=max\necho $n >"+group+"/pids.max\nexec sleep 0.05\n")
	enter := "echo $$ >" + group + `/cgroup.procs && exec "$@"`
	s := serve(t, lab.Handler{
		Before: []string{"sh", "-c", enter, "sh"},
		Room:   lab.Room{Stack: lab.Stack + "account required pam_exec.so /bin/sleep 0.05\nsession required pam_exec.so " + fill + "\n"},
	})
	// Go's runtime gives up when it wants a thread and gets none: in slow modules it wants one,
	// which must be there before.
	for range 10 {
		write(t, group+"/pids.max", "max\n") // no process can be had to do it when the session is closed
		if a := lab.Ask(t, s.Addr, request(u, "echo no")); string(a.All) != tryAgain {
			t.Errorf("%v", a)
		}
		allGone(t, s)
	}
	r := s.Log.Wait(t, "Refused "+u.Name+" from")
	if !strings.Contains(r["MESSAGE"], "resource temporarily unavailable") {
		t.Errorf("log: %q", r["MESSAGE"])
	}
}

// controlGroup makes a control group that can limit processes, for this test alone, under either
// version of them.
func controlGroup(t testing.TB) string {
	t.Helper()
	root := openDir(t)
	if err := syscall.Mount("pids", root, "cgroup", 0, "pids"); err != nil {
		if err := syscall.Mount("cgroup2", root, "cgroup2", 0, ""); err != nil {
			t.Fatalf("mount control groups: %v", err)
		}
		os.WriteFile(root+"/cgroup.subtree_control", []byte("+pids"), 0o644) // systemd has done so
	}
	group := fmt.Sprintf("%s/attack.%d", root, os.Getppid()<<16|rand.IntN(1<<16))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lab.Eventually(t, "the end of the control group", func() bool { return os.Remove(group) == nil })
		syscall.Unmount(root, 0)
	})
	if !exists(group + "/pids.max") {
		t.Fatalf("%s has no pids.max", group)
	}
	return group
}
