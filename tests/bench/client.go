package main

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// A session is one rexec connection made of blocking sockets and plain system calls, so that no poller of ours stands
// between the server and the clock.
type session struct {
	fd, stderr int
	start      time.Time
	nul        time.Duration // connect() called to status byte received
}

var loopback = [4]byte{127, 0, 0, 1}

// open connects to the port, asks for the command and reads the status byte. With withStderr it listens as rexec(3)
// does: the port first, accept, and only then the rest.
func open(port int, command string, withStderr bool) (*session, error) {
	s := &session{fd: -1, stderr: -1}
	var err error
	if s.fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	// A server that hangs is a result, not a reason to wait for ever.
	_ = syscall.SetsockoptTimeval(s.fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 60})
	request := userName + "\x00" + password + "\x00" + command + "\x00"
	listener, portField := -1, "\x00"
	if withStderr {
		if listener, portField, err = listenStderr(); err != nil {
			s.close()
			return nil, err
		}
		defer syscall.Close(listener)
	}
	s.start = time.Now()
	if err = syscall.Connect(s.fd, &syscall.SockaddrInet4{Port: port, Addr: loopback}); err == nil {
		err = s.request(portField, request, listener)
	}
	s.nul = time.Since(s.start)
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func listenStderr() (fd int, portField string, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, "", fmt.Errorf("open stderr socket: %w", err)
	}
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 60})
	if err = syscall.Listen(fd, 1); err == nil {
		var name syscall.Sockaddr
		if name, err = syscall.Getsockname(fd); err == nil {
			return fd, strconv.Itoa(name.(*syscall.SockaddrInet4).Port) + "\x00", nil
		}
	}
	syscall.Close(fd)
	return -1, "", fmt.Errorf("listen for stderr: %w", err)
}

func (s *session) request(portField, rest string, listener int) error {
	if listener < 0 {
		portField += rest // one segment, as a client without a stderr connection may send it
	}
	if err := writeAll(s.fd, portField); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	if listener >= 0 {
		fd, err := accept(listener)
		if err != nil {
			return fmt.Errorf("accept stderr connection: %w", err)
		}
		s.stderr = fd
		if err := writeAll(s.fd, rest); err != nil {
			return fmt.Errorf("send request: %w", err)
		}
	}
	var status [1]byte
	n, err := read(s.fd, status[:])
	if err != nil || n == 0 {
		return fmt.Errorf("read status: %d bytes, %v", n, err)
	}
	if status[0] != 0 {
		var text [200]byte
		n, _ := read(s.fd, text[:])
		return fmt.Errorf("refused: %q", text[:n])
	}
	return nil
}

// drain reads a connection to its end and returns the bytes it carried.
func drain(fd int, buf []byte) (int64, error) {
	var total int64
	for {
		n, err := read(fd, buf)
		if err != nil {
			return total, fmt.Errorf("read output: %w", err)
		}
		if n == 0 {
			return total, nil
		}
		total += int64(n)
	}
}

// finish reads both connections to their ends, closes them, and returns the time since connect.
func (s *session) finish() (time.Duration, error) {
	defer s.close()
	var buf [4096]byte
	if _, err := drain(s.fd, buf[:]); err != nil {
		return 0, err
	}
	took := time.Since(s.start)
	if s.stderr >= 0 {
		if _, err := drain(s.stderr, buf[:]); err != nil {
			return 0, err
		}
	}
	return took, nil
}

func (s *session) close() {
	for _, fd := range []*int{&s.fd, &s.stderr} {
		if *fd >= 0 {
			syscall.Close(*fd)
			*fd = -1
		}
	}
}

// once runs `true` and returns connect to NUL and connect to end of file.
func once(port int, withStderr bool) (nul, eof time.Duration, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := open(port, "true", withStderr)
	if err != nil {
		return 0, 0, err
	}
	eof, err = s.finish()
	return s.nul, eof, err
}

func read(fd int, buf []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, buf)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// accept, like read, is interrupted by Go's own signals when the socket has a timeout.
func accept(listener int) (int, error) {
	for {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

func writeAll(fd int, text string) error {
	for b := []byte(text); len(b) > 0; {
		n, err := syscall.Write(fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
