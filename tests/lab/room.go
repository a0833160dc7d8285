package lab

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
)

// Room is a set of files that only one server sees, so that tests with different PAM stacks,
// settings and logs run at the same time. It is a mount namespace.
type Room struct {
	Stack     string            // /etc/pam.d/rexec; "" = Stack
	Files     map[string]string // other files by path; where there was none, everybody else sees an empty one
	NoJournal bool              // no journald socket
	NoSyslog  bool              // no /dev/log
}

// noPenalties stands in all settings that say nothing of penalties: the tests' failures all come
// from one address.
const noPenalties = "[penalties]\nenabled = false\n"

var rooms atomic.Int64

// open lays the room's files out and starts its log.
func (r *Room) open() (dir string, log *Log, err error) {
	dir = "/run/lab/" + strconv.FormatInt(rooms.Add(1), 10)
	log = &Log{}
	// Mounts are taken over by name below; the names must exist for everybody.
	if err := os.MkdirAll("/run/systemd/journal", 0o755); err != nil {
		return "", nil, fmt.Errorf("make directory: %w", err)
	}
	if err := os.MkdirAll(dir+"/journal", 0o755); err != nil {
		return "", nil, fmt.Errorf("make directory: %w", err)
	}
	if err := log.listen(dir+"/journal/socket", log.native); err != nil {
		return "", nil, fmt.Errorf("listen as journald: %w", err)
	}
	if err := log.listen(dir+"/log", log.syslog); err != nil {
		return "", nil, fmt.Errorf("listen as syslogd: %w", err)
	}
	return dir, log, nil
}

// enter gives the calling thread, and so every process it starts, the room's files. The goroutine
// must end without unlocking: the thread is of no use to others.
func (r *Room) enter(dir string) error {
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make mount namespace: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	binds := map[string]string{}
	if !r.NoJournal {
		binds["/run/systemd/journal"] = dir + "/journal"
	}
	if !r.NoSyslog {
		binds["/dev/log"] = dir + "/log"
	}
	stack := r.Stack
	if stack == "" {
		stack = Stack
	}
	files := map[string]string{"/etc/pam.d/rexec": stack, "/etc/rexecd.toml": noPenalties}
	maps.Copy(files, r.Files)
	n := 0
	for path, content := range files {
		n++
		src := filepath.Join(dir, "file"+strconv.Itoa(n))
		if err := os.WriteFile(src, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write file: %w", err)
		}
		binds[path] = src
	}
	for path, src := range binds {
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			f.Close()
		}
		if err := syscall.Mount(src, path, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", path, err)
		}
	}
	return nil
}

// Command starts a program that sees the room's files, and returns the log it writes to. It is
// killed, with the processes of its group, when the test ends.
func (r Room) Command(t testing.TB, cmd *exec.Cmd) *Log {
	t.Helper()
	dir, log, err := r.open()
	if err != nil {
		t.Fatal(err)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	started := make(chan error)
	go func() {
		err := r.enter(dir)
		if err == nil {
			err = cmd.Start()
		}
		started <- err
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %v: %v", cmd.Args, err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return log
}
