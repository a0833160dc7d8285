package prefork

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// startWorker starts a handler that will wait for its connection.
func (s *Supervisor) startWorker() error {
	pair, err := talk()
	if err != nil {
		return fmt.Errorf("start handler: %w", err)
	}
	defer unix.Close(pair[1])
	h := &handler{pidfd: -1, control: pair[0], due: time.Now().Add(s.patience())}
	if z := s.zygote(); z != nil && z.ready {
		return s.fork(z, h, pair[1])
	}
	if err := s.start(h, s.Warm, append([]int{-1, -1, -1, pair[1]}, s.Listeners...)); err != nil {
		h.closeControl()
		return err
	}
	return nil
}

// talk makes a socket that keeps message boundaries, and whose end is the end of the
// other process.
func talk() (pair [2]int, err error) {
	pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	return pair, os.NewSyscallError("socketpair", err)
}

// accept takes one connection and starts a handler for it, just as inetd would.
func (s *Supervisor) accept(listener int) {
	fd, peer, err := accept4(listener, s.AsNobody)
	if err != nil {
		if !passing(err) {
			s.logf("accept: %v", err)
			s.backOff() // out of descriptors or memory: again would be at once
		}
		return
	}
	defer unix.Close(fd)
	from, argv := source(peer), s.Cold
	verdict := s.judge(from)
	switch verdict {
	case refuse:
		// A refusal is a handler's work, too: it takes time to close in order.
		argv = append(argv[:len(argv):len(argv)], "-refuse")
	case drop:
		return
	}
	fds := []int{fd, fd, -1}
	if s.Secret > 0 {
		fds = append(fds, s.Secret)
	}
	h := &handler{control: -1}
	if err := s.start(h, argv, fds); err != nil {
		s.logf("%v", err)
		s.backOff()
		return
	}
	s.deaths = 0
	h.assign(from, verdict)
}

// start executes a handler with the descriptors fds.
func (s *Supervisor) start(h *handler, argv []string, fds []int) (err error) {
	if h.pid, h.pidfd, err = s.execute(argv, fds); err != nil {
		return fmt.Errorf("start handler %s: %w", s.Path, err)
	}
	s.handlers = append(s.handlers, h)
	return nil
}

// execute starts Path with the descriptors fds; -1 is /dev/null, and as descriptor 2
// Stderr.
func (s *Supervisor) execute(argv []string, fds []int) (pid, pidfd int, err error) {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, -1, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(null)
	files := make([]uintptr, len(fds))
	for i, fd := range fds {
		switch {
		case fd >= 0:
			files[i] = uintptr(fd)
		case i == 2:
			files[i] = uintptr(s.Stderr)
		default:
			files[i] = uintptr(null)
		}
	}
	// By path, not /proc/self/exe: after an upgrade the next handler is the new one.
	pid, err = syscall.ForkExec(s.Path, argv, &syscall.ProcAttr{Env: handlerEnv(os.Environ()), Files: files})
	if err != nil {
		return 0, -1, err
	}
	pidfd, err = unix.PidfdOpen(pid, 0)
	if err != nil {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
		return 0, -1, os.NewSyscallError("pidfd_open", err)
	}
	if own, err := os.ReadFile("/proc/self/oom_score_adj"); err == nil {
		unprotect(pid, string(own))
	}
	return pid, pidfd, nil
}

// unprotect has a process, and so its command, be as likely a victim of the kernel's
// want of memory as those of other servers, where an administrator has protected the
// supervisor, whose score is own. Whoever has made it a likelier one means the commands.
func unprotect(pid int, own string) {
	if strings.HasPrefix(own, "-") {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("0"), 0) // fails only if it has ended
	}
}

// handlerEnv leaves out what systemd meant for the supervisor alone.
func handlerEnv(env []string) []string {
	var kept []string
	for _, v := range env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}
