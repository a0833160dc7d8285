package prefork

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Descriptors of a handler that waits: the supervisor's end of the talk, then
// the listening sockets.
const (
	controlFd     = 3
	firstListenFd = 4
)

// A Worker is a handler that was started before its connection and waits for it.
type Worker struct {
	epoll     int
	listeners []int
}

// NewWorker takes over the descriptors that the Supervisor passed, with this many
// listening sockets among them.
func NewWorker(listeners int) (*Worker, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	w := &Worker{epoll: epoll}
	add := func(fd int, events uint32) error {
		unix.CloseOnExec(fd)
		return os.NewSyscallError("epoll_ctl",
			unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
	}
	if err := add(controlFd, unix.EPOLLIN); err != nil {
		return nil, err
	}
	for fd := firstListenFd; fd < firstListenFd+listeners; fd++ {
		// Exclusive: one connection wakes one of the handlers that wait for it.
		if err := add(fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE); err != nil {
			return nil, err
		}
		w.listeners = append(w.listeners, fd)
	}
	return w, nil
}

// Accept waits for a connection and reports it to the supervisor, which may have
// it dropped: then it waits for the next one. It returns the connected socket
// and whether the supervisor lets it be served; -1 when this handler must end
// without having served. Sockets are accepted inside asNobody.
func (w *Worker) Accept(asNobody func(func())) (fd int, served bool, err error) {
	defer w.close()
	// Only now may the supervisor count on this handler. If that has gone, epoll reports it.
	_, _ = unix.Write(controlFd, []byte(ready))
	events := make([]unix.EpollEvent, 4)
	for {
		n, err := unix.EpollWait(w.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return -1, false, os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == controlFd {
				return -1, false, nil // the supervisor asks for it, or has gone
			}
			fd, peer, err := accept4(int(e.Fd), asNobody)
			switch {
			case err == nil:
				verdict, leaving, err := announce(peer)
				if err != nil || verdict != drop {
					return fd, verdict == serve, err
				}
				unix.Close(fd) // nothing was read from it: the next peer still gets a fresh process
				if leaving {
					return -1, false, nil
				}
			case !passing(err):
				return -1, false, os.NewSyscallError("accept", err)
			}
		}
	}
}

// accept4 takes a connection without waiting.
func accept4(listener int, asNobody func(func())) (fd int, peer unix.Sockaddr, err error) {
	asNobody(func() { fd, peer, err = unix.Accept4(listener, unix.SOCK_CLOEXEC) })
	return fd, peer, err
}

// passing reports whether accept failed for this connection only: taken by
// another handler, or gone again (accept(2), "Error handling").
func passing(err error) bool {
	for _, e := range []unix.Errno{unix.EAGAIN, unix.EINTR, unix.ECONNABORTED, unix.EPROTO, unix.ENETDOWN,
		unix.ENOPROTOOPT,
		unix.EHOSTDOWN, unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// announce reports to the supervisor that this handler is busy, and with whom. leaving
// is whether the supervisor has asked it to end meanwhile.
func announce(peer unix.Sockaddr) (verdict byte, leaving bool, err error) {
	if _, err := unix.Write(controlFd, []byte(source(peer).String())); err != nil {
		return serve, false, nil // the supervisor has gone since: no limits, and no reason to drop the peer
	}
	var answer [1]byte
	for {
		n, err := unix.Read(controlFd, answer[:])
		switch {
		case err == unix.EINTR:
		case err != nil || n == 0:
			return serve, leaving, nil
		case answer[0] == leave:
			leaving = true
		case answer[0] == serve, answer[0] == refuse, answer[0] == drop:
			return answer[0], leaving, nil
		default:
			return 0, leaving, fmt.Errorf("unknown verdict %q of the supervisor", answer)
		}
	}
}

// close closes the listening sockets: a command that runs for days must not keep
// the port open after the service has stopped. Nor has a handler with a connection
// anything to report.
func (w *Worker) close() {
	unix.Close(controlFd)
	for _, fd := range w.listeners {
		unix.Close(fd)
	}
	unix.Close(w.epoll)
}
