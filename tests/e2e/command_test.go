package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

var keyctl = strconv.Itoa(unix.SYS_KEYCTL)

// hold is a command that says its process id and then waits for a line or for the end of its input.
const hold = "echo $$; read x"

// held runs hold and returns the session, the command's process id and the handler's.
func held(t testing.TB, s *lab.Listening, u lab.User) (session *lab.Session, pid, handler string) {
	t.Helper()
	session = lab.Open(t, s.Addr, u.Name, u.Password, hold).Started(t)
	pid = session.Line(t)
	return session, pid, field(t, read("/proc/"+pid+"/status"), "PPid")
}

func TestTheEnvironmentIsBuiltFromNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{On: lab.ListenFDs, Env: []string{
		"PATH=/evil:/usr/bin:/bin", "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/evil", "FOO=bar", "LANG=xx", "NOTIFY_SOCKET=/x", "INVOCATION_ID=x", "JOURNAL_STREAM=1:2",
		"CREDENTIALS_DIRECTORY=/x", "REMOTE_ADDR=1.2.3.4", "REMOTE_PORT=5", "MAINPID=1", "GOTRACEBACK=all", "GODEBUG=x=1", "GOMAXPROCS=1", "TMPDIR=/x", "XDG_SESSION_ID=5"}})
	u := newUser(t, lab.User{})
	session, pid, _ := held(t, s, u)
	local, remote := session.Primary.LocalAddr().(*net.TCPAddr), session.Primary.RemoteAddr().(*net.TCPAddr)
	want := []string{"HOME=/home/" + u.Name, "SHELL=/bin/sh", "USER=" + u.Name, "LOGNAME=" + u.Name, "PATH=/usr/local/bin:/usr/bin:/bin",
		fmt.Sprintf("REXEC_CLIENT=127.0.0.1 %d %d", local.Port, remote.Port)}
	got := strings.Split(strings.TrimSuffix(read("/proc/"+pid+"/environ"), "\x00"), "\x00")
	sort.Strings(want)
	sort.Strings(got)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the command's environment is %q; want %q", got, want)
	}
}

func TestTheCommandHasTheThreeDescriptorsAndNoOther(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, on := range []lab.Descriptors{lab.InOutErr, lab.InOut, lab.In, lab.ListenFDs} {
		t.Run(strconv.Itoa(int(on)), func(t *testing.T) {
			t.Parallel()
			leak := `exec 4</etc/passwd 7>/dev/null 9<&0; exec "$@"`
			s := serve(t, lab.Handler{On: on, Before: []string{"sh", "-c", leak, "sh"}})
			_, pid, handler := held(t, s, u)
			fds := descriptors(t, pid)
			if len(fds) != 3 || fds["0"] != fds["1"] || fds["1"] == fds["2"] || !strings.HasPrefix(fds["0"], "socket:") || !strings.HasPrefix(fds["2"], "socket:") {
				t.Errorf("the command's descriptors are %v", fds)
			}
			for fd, target := range descriptors(t, handler) {
				if fd <= "2" && len(fd) == 1 && target != "/dev/null" {
					t.Errorf("descriptor %s of the handler is %s; want /dev/null", fd, target)
				}
			}
			a := lab.Ask(t, s.Addr, request(u, "echo out; echo err >&2; exec ls -l /proc/self/fd"))
			for _, fd := range []string{" 0 -> socket:", " 1 -> socket:", " 2 -> socket:"} {
				if !strings.Contains(a.Out(), fd) {
					t.Errorf("no descriptor %s in %q", fd, a.Out())
				}
			}
		})
	}
}

// descriptors returns where the descriptors of a process lead.
func descriptors(t testing.TB, pid string) map[string]string {
	t.Helper()
	fds := map[string]string{}
	entries, err := os.ReadDir("/proc/" + pid + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fds[e.Name()], _ = os.Readlink(filepath.Join("/proc", pid, "fd", e.Name()))
	}
	return fds
}

func TestTheSocketsAreInBlockingMode(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, on := range []lab.Descriptors{lab.InOutErr, lab.InOut, lab.In, lab.ListenFDs} {
		s := serve(t, lab.Handler{On: on})
		_, pid, _ := held(t, s, u)
		for _, fd := range []string{"0", "1", "2"} {
			flags, err := strconv.ParseUint(field(t, read("/proc/"+pid+"/fdinfo/"+fd), "flags"), 8, 32)
			if err != nil || flags&0o4000 != 0 || flags&3 != 2 {
				t.Errorf("flags of descriptor %s = %o, %v; want read and write, blocking", fd, flags, err)
			}
		}
	}
}

func TestSignalsAreAsTheShellExpectsThemWhateverTheSuperServerIgnores(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	ignore := `use POSIX; $SIG{$_} = "IGNORE" for qw(HUP INT QUIT PIPE TERM TSTP TTIN TTOU CHLD USR1 USR2 ALRM);
		sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM, SIGINT, SIGUSR1, SIGALRM, 40)); exec @ARGV`
	s := serve(t, lab.Handler{Before: []string{"perl", "-e", ignore}})
	status := out(t, s.Addr, request(u, "exec cat /proc/self/status"))
	for _, name := range []string{"SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"} {
		if v := field(t, status, name); v != "0000000000000000" {
			t.Errorf("%s = %s", name, v)
		}
	}
	// SIGPIPE must end a writer whose reader has gone.
	wantOut(t, s.Addr, request(u, "yes | head -n 1; trap 'echo trapped' TERM; kill $$"), "y\ntrapped\n")
}

func TestTheCommandLeadsASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for name, before := range map[string][]string{"as a child": nil, "under a session leader": {"setsid"}} {
		s := serve(t, lab.Handler{Before: before})
		_, pid, handler := held(t, s, u)
		stat := strings.Fields(read("/proc/" + pid + "/stat")[strings.LastIndex(read("/proc/"+pid+"/stat"), ")")+2:])
		if pgrp, session, tty := stat[2], stat[3], stat[4]; pgrp != pid || session != pid || tty != "0" {
			t.Errorf("%s: process %s has group %s, session %s, terminal %s", name, pid, pgrp, session, tty)
		}
		if exe, err := os.Readlink("/proc/" + handler + "/exe"); err != nil || exe != lab.Server(t) {
			t.Errorf("%s: the command's parent is %s, %v", name, exe, err)
		}
	}
}

func TestTheCommandIsTheUserForGood(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{})
	id := uid(t, u)
	status := out(t, s.Addr, request(u, "exec cat /proc/self/status"))
	for name, id := range map[string]string{"Uid": id, "Gid": strings.TrimSpace(lab.Run(t, "id", "-g", u.Name))} {
		if v := field(t, status, name); v != strings.Join([]string{id, id, id, id}, "\t") {
			t.Errorf("%s = %s; want %s four times", name, v, id)
		}
	}
	for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if v := field(t, status, name); v != "0000000000000000" {
			t.Errorf("%s = %s", name, v)
		}
	}
	if v := field(t, status, "NoNewPrivs"); v != "0" {
		t.Errorf("NoNewPrivs = %s: sudo and su would not work", v)
	}
	back := `exec perl -e '$> = 0; $< = 0; ($<, $>) = (0, 0); open(F, "/etc/shadow") and print "opened shadow"; print "$< $>"'`
	wantOut(t, s.Addr, request(u, back), id+" "+id)
}

// inherited prints what a process has from the one before it and the server's runtime changes for
// itself: the scheduling policy, the processors it may run on, the slack of its timers, its limit
// of open files.
const inherited = `awk "{print \$41}" /proc/self/stat; taskset -pc $$ | sed 's/.*: //'; read slack </proc/self/timerslack_ns; echo $slack; ulimit -Sn; ulimit -Hn`

func TestTheCommandHasTheProcessorsTimersAndLimitsOfTheSuperServer(t *testing.T) {
	t.Parallel()
	want := lab.Run(t, "sh", "-c", inherited)
	wantOut(t, serve(t, lab.Handler{}).Addr, request(newUser(t, lab.User{}), inherited), want)
}
