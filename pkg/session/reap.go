package session

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Status is how the command ended.
type Status struct {
	Exit    int            // exit status, -1 if there is none
	Signal  syscall.Signal // that killed it, 0 if none did
	Stopped bool           // this process was asked to stop, and the command had not ended soon after
	Unknown bool           // it has ended, and another process keeps how to itself
	Limited bool           // its time was over before it ended
	Usage   Usage
}

// Usage is what the command used, and those of its children that it waited for.
type Usage struct {
	User, System time.Duration // of the processors
	MaxRSS       int64         // bytes of memory that the largest of them had at once
}

// errTraced is an end that was kept back: a tracer (ptrace(2)) learns of it before the
// parent, and need not look.
var errTraced = errors.New("another process traces the command and holds its end back")

// tracedTime is how long the tracer is given. It may be about to look.
const tracedTime = 2 * time.Second

// reap takes the status of the ended command. Until now it was a zombie, so its
// process group's number could not become another's.
//
// It never waits in wait4(2), which does not return before a tracer has.
func (p *Process) reap(stop *Stop, until time.Time) (Status, error) {
	defer unix.Close(p.pidfd)
	if limit := time.Now().Add(tracedTime); until.IsZero() || limit.Before(until) {
		until = limit
	}
	fds := []unix.PollFd{{Fd: int32(stop.fd), Events: unix.POLLIN}}
	for {
		status, ok, err := wait(p.pid)
		if ok || err != nil {
			return status, err
		}
		if n, _ := unix.Poll(fds, 10); n > 0 || time.Now().After(until) {
			return p.lookUp(), errTraced
		}
	}
}

// wait takes the status of a child, if it has ended and nobody traces it.
func wait(pid int) (status Status, ended bool, err error) {
	var ws unix.WaitStatus
	var used unix.Rusage
	for {
		got, err := unix.Wait4(pid, &ws, unix.WNOHANG, &used)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return Status{Exit: -1}, false, fmt.Errorf("wait for command: %w", err)
		case got == 0:
			return Status{}, false, nil
		}
		status := statusOf(ws)
		status.Usage = Usage{
			User:   time.Duration(used.Utime.Nano()),
			System: time.Duration(used.Stime.Nano()),
			MaxRSS: int64(used.Maxrss) << 10,
		}
		return status, true, nil
	}
}

func statusOf(ws unix.WaitStatus) Status {
	if ws.Signaled() {
		return Status{Exit: -1, Signal: ws.Signal()}
	}
	return Status{Exit: ws.ExitStatus()}
}

// lookUp reads the status of a zombie that a tracer keeps: the last of its numbers
// in /proc (proc_pid_stat(5), exit_code), which is 0 to whom may not trace it. That
// takes cap_sys_ptrace, which this process may have given up, or the user's ids.
func (p *Process) lookUp() Status {
	unknown := Status{Exit: -1, Unknown: true}
	status := unknown
	read := func() {
		dir := "/proc/" + strconv.Itoa(p.pid)
		var buf [1024]byte
		// A zombie has no program any more; only a process that may trace it can see that.
		if _, err := unix.Readlink(dir+"/exe", buf[:]); err != unix.ENOENT {
			return
		}
		fd, err := unix.Open(dir+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		n, _ := unix.Read(fd, buf[:])
		fields := strings.Fields(string(buf[:max(n, 0)]))
		if len(fields) == 0 {
			return
		}
		if code, err := strconv.Atoi(fields[len(fields)-1]); err == nil {
			status = statusOf(unix.WaitStatus(code))
		}
	}
	if read(); status == unknown && p.user {
		p.asUser(read)
	}
	return status
}

// reapSoon takes a child that is about to end. One that does not is left to init.
func reapSoon(pid, pidfd int) {
	unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(tracedTime/time.Millisecond))
	for until := time.Now().Add(tracedTime); time.Now().Before(until); {
		if _, ended, err := wait(pid); ended || err != nil {
			break
		}
		unix.Nanosleep(&unix.Timespec{Nsec: int64(10 * time.Millisecond)}, nil)
	}
	unix.Close(pidfd)
}
