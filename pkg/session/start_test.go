package session

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestStatusByteComesBeforeAllTheCommandSays(t *testing.T) {
	r, err := begin(t, sh("echo out; echo err >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	if got := all(t, r.primary); got != "\x00out\n" {
		t.Errorf("the primary got %q", got)
	}
	if got := all(t, r.stderr); got != "err\n" {
		t.Errorf("the stderr connection got %q", got)
	}
	if status := r.attend(t); status != (Status{Exit: 3}) {
		t.Errorf("status %+v; want exit 3", status)
	}
}

func TestTheStreamsAreTheCommandsThreeDescriptors(t *testing.T) {
	in, theirIn := pair(t)
	out, theirOut := pair(t)
	stderr, theirErr := pair(t)
	unix.Write(in.Fd(), []byte("from in\n"))
	c := sh("read line; echo $line; echo err >&2")
	c.Streams = Streams{theirIn.Fd(), theirOut.Fd(), theirErr.Fd()}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	theirErr.Close()
	if got, err := all(t, out), all(t, stderr); got != "\x00from in\n" || err != "err\n" || all(t, in) != "" {
		t.Errorf("out %q, err %q", got, err)
	}
	if status, err := p.end(); status != (Status{}) || err != nil {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestPrimaryIsInputAndOutput(t *testing.T) {
	r, err := begin(t, sh("cat"))
	if err != nil {
		t.Fatal(err)
	}
	unix.Write(r.primary.Fd(), []byte("in\x00put"))
	unix.Shutdown(r.primary.Fd(), unix.SHUT_WR)
	if got := all(t, r.primary); got != "\x00in\x00put" {
		t.Errorf("the primary got %q", got)
	}
	r.attend(t)
}

func TestStartErrorNamesItsStage(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("neither a program nor a directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	unreadable := filepath.Join(dir, "unreadable")
	if err := os.WriteFile(unreadable, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	home := func(s string) *Command { c := sh("echo ran"); c.Home = s; return c }
	shell := func(s string) *Command { c := sh("echo ran"); c.Shell = s; return c }
	for _, tt := range []struct {
		name    string
		command *Command
		root    bool
		stage   Stage
		errno   syscall.Errno
		text    string
	}{
		{"a home that is not there", home("/nonexistent"), false, StageHome, unix.ENOENT, "No such file or directory"},
		{"an empty home", home(""), false, StageHome, unix.ENOENT, "No such file or directory"},
		{"a home that is a file", home(file), false, StageHome, unix.ENOTDIR, "Not a directory"},
		{"a home that only root can enter", home("/root").as(someUID), true, StageHome, unix.EACCES, "Permission denied"},
		{"a shell that is not there", shell("/nonexistent"), false, StageShell, unix.ENOENT, "No such file or directory"},
		{"a shell that may not be run", shell(unreadable), false, StageShell, unix.EACCES, "Permission denied"},
		{"a shell that is a directory", shell("/"), false, StageShell, unix.EACCES, "Permission denied"},
		{"no program in any directory", &Command{Shell: "/nonexistent/x", Others: []string{"/nonexistent/y", file + "/z"}, Home: "/"}, false, StageShell, unix.ENOTDIR, "Not a directory"},
		{"one that may not be run, and none after", &Command{Shell: unreadable, Others: []string{"/nonexistent"}, Home: "/"}, false, StageShell, unix.EACCES, "Permission denied"},
		{"one that is no program, and one after", &Command{Shell: file, Others: []string{"/bin/sh"}, Home: "/"}, false, StageShell, unix.ENOEXEC, "Exec format error"},
		{"a shell that is no program", shell(file), false, StageShell, unix.ENOEXEC, "Exec format error"},
		{"a command too long for exec", sh(strings.Repeat("x", 131072)), false, StageShell, unix.E2BIG, "Argument list too long"},
		{"the id that means no change", sh("echo ran").as(-1), true, StageIdentity, unix.EPERM, "Operation not permitted"},
		{"the group id that means no change",
			&Command{Shell: "/bin/sh", Argv: []string{"sh"}, Home: "/", UID: someUID, GID: -1,
				ChangeIdentity: true}, true, StageIdentity, unix.EPERM, "Operation not permitted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root {
				needRoot(t)
			}
			r, err := begin(t, tt.command)
			checkFailed(t, r, err, tt.stage, tt.errno)
			var e *StartError
			if errors.As(err, &e) && (e.Text() != tt.text || e.Error() != fmt.Sprintf("%v: %v", tt.stage, tt.errno)) {
				t.Errorf("Text() = %q, Error() = %q", e.Text(), e.Error())
			}
		})
	}
}

// checkFailed looks at a start that failed: what was said, and what is left.
func checkFailed(t *testing.T, r *run, err error, stage Stage, errno syscall.Errno) {
	t.Helper()
	var e *StartError
	if !errors.As(err, &e) || e.Stage != stage || e.Err != errno || !errors.Is(err, errno) {
		t.Fatalf("Start = %v; want %v: %v", err, stage, errno)
	}
	want := ""
	if stage == StageShell {
		want = "\x00"
	}
	if got := all(t, r.primary); got != want {
		t.Errorf("the primary got %q; want %q", got, want)
	}
	if got := all(t, r.stderr); got != "" {
		t.Errorf("the stderr connection got %q", got)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("the child was not waited for: wait4 = %d, %v", pid, err)
	}
}

func TestStartWithoutRootCannotChangeIdentity(t *testing.T) {
	switch os.Geteuid() {
	default:
		t.Skip("needs root, to be the user whose the connection becomes")
	case 0:
	case someUID:
		r, err := begin(t, sh("echo ran").as(someUID))
		checkFailed(t, r, err, StageIdentity, unix.EPERM)
		return
	}
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: someUID, Gid: someUID}}
	binary := filepath.Join(filepath.Dir(probe(t)), "test")
	if out, err := exec.Command("cp", os.Args[0], binary).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	got, _, _ := strings.Cut(again(t, "identity", "exec "+binary, attr), "\n")
	if got != "take identity: operation not permitted" {
		t.Errorf("Start = %s", got)
	}
}

func TestDescriptorsThatAreNotOpenAreAnErrorBeforeTheStatusByte(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := sh("echo ran")
	c.Streams = Streams{12345, 12345, 12345}
	var e *StartError
	if _, err := Start(c); !errors.As(err, &e) || e.Stage != StageDescriptors || e.Err != unix.EBADF {
		t.Errorf("Start = %v", err)
	}
}

func TestLackOfDescriptorsIsAForkThatFailed(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	primary, theirs := pair(t)
	stderr, theirErr := pair(t)
	c := sh("echo ran")
	c.Streams = Streams{theirs.Fd(), theirs.Fd(), theirErr.Fd()}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := Start(c)
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	theirErr.Close()
	checkFailed(t, &run{nil, primary, stderr}, err, StageFork, unix.EMFILE)
}

func TestCommandHasNoDescriptorAboveStandardError(t *testing.T) {
	for _, fd := range []int{3, 50, 999} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			continue // open already, one of the test binary's
		}
		// Leaked as a PAM module would: not close-on-exec.
		if err := unix.Dup3(1, fd, 0); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	if got := output(t, sh("ls /proc/$$/fd")); got != "0\n1\n2\n" {
		t.Errorf("open descriptors:\n%s", got)
	}
}

func TestCommandLeadsItsOwnSessionInItsHome(t *testing.T) {
	c := sh(`read pid comm state ppid pgrp session rest </proc/$$/stat; echo $$ $pgrp $session; pwd; umask`)
	c.Home = "/usr"
	old := unix.Umask(0o037)
	got := output(t, c)
	unix.Umask(old)
	m := regexp.MustCompile(`^(\d+) (\d+) (\d+)\n/usr\n0037\n$`).FindStringSubmatch(got)
	if m == nil || m[1] != m[2] || m[1] != m[3] {
		t.Errorf("pid, group, session, directory, umask = %q", got)
	}
}

func TestCommandGetsItsArgumentsAndItsEnvironmentOnly(t *testing.T) {
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	c := &Command{Shell: "/usr/bin/env", Argv: []string{"env"}, Env: []string{"A=b", "C=d e", "E="}, Home: "/"}
	if got := output(t, c); got != "A=b\nC=d e\nE=\n" {
		t.Errorf("environment:\n%s", got)
	}
	c = &Command{Shell: "/bin/bash", Argv: []string{"-bash", "-c", `printf '%s|' "$0" "$@"`, "zero", "", "a b", "\xff\n"}, Home: "/"}
	if got := output(t, c); got != "zero||a b|\xff\n|" {
		t.Errorf("arguments: %q", got)
	}
}

func TestCommandStartsWithEverySignalAtItsDefaultAndNoneBlocked(t *testing.T) {
	// As systemd (SIGPIPE), nohup (SIGHUP), an inetd, and a C library that keeps 32
	// and 33 for itself leave them.
	signal.Ignore(unix.SIGPIPE, unix.SIGHUP, unix.SIGUSR1, unix.SIGTSTP)
	defer signal.Reset(unix.SIGPIPE, unix.SIGHUP, unix.SIGUSR1, unix.SIGTSTP)
	for _, sig := range []uintptr{33, 64} {
		defer ignore(t, sig)()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, old unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		t.Fatal(err)
	}
	status := output(t, &Command{Shell: "/bin/cat", Argv: []string{"cat", "/proc/self/status"}, Home: "/"})
	var now unix.Sigset_t
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, &now)
	got := strings.Join(regexp.MustCompile(`(?m)^Sig(Blk|Ign|Cgt):.*\n`).FindAllString(status, -1), "")
	if want := "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n"; got != want {
		t.Errorf("the command has\n%swant\n%s", got, want)
	}
	if now.Val[0]|1<<8|1<<18|1<<31|1<<32 != ^uint64(0) { // not KILL, STOP, nor the library's own
		t.Errorf("the parent's mask is %#x after Start; want it as before", now.Val[0])
	}
}

// ignore ignores a signal in this process by a raw call, and returns the undoing.
func ignore(t *testing.T, sig uintptr) func() {
	t.Helper()
	action, old := [8]uint64{1}, [8]uint64{} // SIG_IGN
	if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)),
		uintptr(unsafe.Pointer(&old)), 8, 0, 0); e != 0 {
		t.Fatal(e)
	}
	return func() {
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	}
}
