package session

// #include "stop.h"
import "C"

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Stop collects the requests to stop that this process gets: SIGTERM, SIGINT,
// SIGHUP. They are collected from the time a PAM session may be open, so that
// none can end the process before it has closed the session.
//
// The handler is C and writes into a pipe. Package os/signal would start two
// goroutines and their threads for it, half a millisecond in every process.
type Stop struct {
	fd        int
	requested bool
}

// CatchStop starts collecting, once in a process.
func CatchStop() (*Stop, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	if _, err := C.session_catch_stop(C.int(p[1])); err != nil {
		return nil, fmt.Errorf("catch signals: %w", err)
	}
	return &Stop{fd: p[0]}, nil
}

// Fd is readable when there is a request; each byte is a signal's number.
func (s *Stop) Fd() int { return s.fd }

// Requested reports whether Attend has met a request.
func (s *Stop) Requested() bool { return s.requested }

// signal is the request that made the pipe readable.
func (s *Stop) signal() syscall.Signal {
	s.requested = true
	var b [1]byte
	if n, err := unix.Read(s.fd, b[:]); err != nil || n == 0 {
		return unix.SIGTERM
	}
	return syscall.Signal(b[0])
}
