package main

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errCut is the end of a connection that TLS did not announce. crypto/tls takes one
// between two records for an end in order, as servers of the web leave the announcement
// out; a command would take half of its input for all of it.
var errCut = errors.New("the connection ended without close_notify")

// A socket is a connection as crypto/tls wants it. It is not package net's, which
// would set options of its own.
type socket struct {
	*os.File
	announced bool // an end of the stream is an error, unless TLS announced it

	mu   sync.Mutex
	held []byte // what waits to be written, while held back
	hold bool
}

func newSocket(fd int, announced bool) (*socket, error) {
	if err := unix.SetNonblock(fd, true); err != nil { // or it is not given to the poller
		return nil, err
	}
	return &socket{File: os.NewFile(uintptr(fd), "connection"), announced: announced}, nil
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.File.Read(p)
	if s.announced && err == io.EOF {
		err = errCut
	}
	return n, err
}

// Write writes, or keeps what is to be written until flush.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold {
		s.held = append(s.held, p...)
		return len(p), nil
	}
	return s.File.Write(p)
}

// together has write's records leave in one system call: crypto/tls makes one of
// each.
func (s *socket) together(write func() error) error {
	s.mu.Lock()
	s.hold = true
	s.mu.Unlock()
	err := write()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = false
	if len(s.held) > 0 && err == nil {
		_, err = s.File.Write(s.held)
	}
	s.held = s.held[:0]
	return err
}

func (s *socket) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (s *socket) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// control calls f with the descriptor, unless it is closed.
func (s *socket) control(f func(fd int)) {
	if raw, err := s.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

func (s *socket) closeWrite() { s.control(func(fd int) { unix.Shutdown(fd, unix.SHUT_WR) }) }

// resets sets whether a close, also that by this process's end, resets the connection.
func (s *socket) resets(on bool) {
	var l unix.Linger
	if on {
		l.Onoff = 1
	}
	s.control(func(fd int) { _ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &l) })
}

// reset ends the connection so that the other side cannot take it for an end in order.
func (s *socket) reset() {
	s.resets(true)
	s.Close()
}

// probe has TCP find out whether the peer is still there, as package session does.
func (s *socket) probe() {
	s.control(func(fd int) {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 10)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 10)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	})
}

// awaitLoss waits until the connection is lost, or this side has closed it.
func (s *socket) awaitLoss() {
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(fds, 0)
		return n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
}

// drop reads and forgets what still comes, for a time.
func (s *socket) drop(d time.Duration) {
	_ = s.SetReadDeadline(time.Now().Add(d))
	buf := make([]byte, 64<<10)
	for range 1 << 10 {
		if _, err := s.File.Read(buf); err != nil {
			return
		}
	}
}
