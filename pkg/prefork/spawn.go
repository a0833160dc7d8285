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
	// A socket that keeps message boundaries, and whose end is the end of the other process.
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("start handler: %w", os.NewSyscallError("socketpair", err))
	}
	defer unix.Close(pair[1])
	fds := append([]int{-1, -1, -1, pair[1]}, s.Listeners...)
	h, err := s.start(s.Warm, fds)
	if err != nil {
		unix.Close(pair[0])
		return err
	}
	h.control, h.due = pair[0], time.Now().Add(s.patience())
	return nil
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
	h, err := s.start(argv, fds)
	if err != nil {
		s.logf("%v", err)
		s.backOff()
		return
	}
	s.deaths = 0
	h.assign(from, verdict)
}

// start starts a handler with the descriptors fds; -1 is /dev/null, and as
// descriptor 2 Stderr.
func (s *Supervisor) start(argv []string, fds []int) (*handler, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start handler: %w", &os.PathError{Op: "open", Path: os.DevNull, Err: err})
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
	pid, err := syscall.ForkExec(s.Path, argv, &syscall.ProcAttr{Env: handlerEnv(os.Environ()), Files: files})
	if err != nil {
		return nil, fmt.Errorf("start handler %s: %w", s.Path, err)
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
		return nil, fmt.Errorf("start handler: %w", os.NewSyscallError("pidfd_open", err))
	}
	h := &handler{pid: pid, pidfd: pidfd, control: -1}
	s.handlers = append(s.handlers, h)
	return h, nil
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
