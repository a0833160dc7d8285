package rig

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// A Session is one rexec connection made of blocking sockets and plain system
// calls, so that no poller of ours stands between the server and the clock.
type Session struct {
	FD     int           // the primary connection
	Stderr int           // -1 if there is none
	NUL    time.Duration // connect() called to status byte received
	start  time.Time
}

// Open connects to the server, asks for the command and reads the status byte. With
// withStderr it listens as rexec(3) does: the port first, accept, and only then the
// rest.
func (t Target) Open(command string, withStderr bool) (*Session, error) {
	s := &Session{FD: -1, Stderr: -1}
	var err error
	if s.FD, err = t.socket(); err != nil {
		return nil, err
	}
	request := UserName + "\x00" + Password + "\x00" + command + "\x00"
	listener, portField := -1, "\x00"
	if withStderr {
		if listener, portField, err = t.listen(); err != nil {
			s.Close()
			return nil, err
		}
		defer syscall.Close(listener)
	}
	s.start = time.Now()
	if err = t.connect(s.FD); err == nil {
		err = s.request(portField, request, listener)
	}
	s.NUL = time.Since(s.start)
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// listen opens a socket for the stderr connection.
func (t Target) listen() (fd int, portField string, err error) {
	if fd, err = t.socket(); err != nil {
		return -1, "", err
	}
	if err = syscall.Listen(fd, 1); err == nil {
		var name syscall.Sockaddr
		if name, err = syscall.Getsockname(fd); err == nil {
			return fd, strconv.Itoa(name.(*syscall.SockaddrInet4).Port) + "\x00", nil
		}
	}
	syscall.Close(fd)
	return -1, "", fmt.Errorf("listen for stderr: %w", err)
}

func (s *Session) request(portField, rest string, listener int) error {
	if listener < 0 {
		portField += rest // one segment, as a client without a stderr connection may send it
	}
	if err := WriteAll(s.FD, portField); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	if listener >= 0 {
		fd, err := accept(listener)
		if err != nil {
			return fmt.Errorf("accept stderr connection: %w", err)
		}
		s.Stderr = fd
		if err := WriteAll(s.FD, rest); err != nil {
			return fmt.Errorf("send request: %w", err)
		}
	}
	var status [1]byte
	n, err := Read(s.FD, status[:])
	if err != nil || n == 0 {
		return fmt.Errorf("read status: %d bytes, %v", n, err)
	}
	if status[0] != 0 {
		var text [200]byte
		n, _ := Read(s.FD, text[:])
		return fmt.Errorf("refused: %q", text[:n])
	}
	return nil
}

// Drain reads a connection to its end and returns the bytes it carried.
func Drain(fd int, buf []byte) (int64, error) {
	var total int64
	for {
		n, err := Read(fd, buf)
		if err != nil {
			return total, fmt.Errorf("read output: %w", err)
		}
		if n == 0 {
			return total, nil
		}
		total += int64(n)
	}
}

// Finish reads both connections to their ends, closes them, and returns the time since connect.
func (s *Session) Finish() (time.Duration, error) {
	defer s.Close()
	var buf [4096]byte
	if _, err := Drain(s.FD, buf[:]); err != nil {
		return 0, err
	}
	took := time.Since(s.start)
	if s.Stderr >= 0 {
		if _, err := Drain(s.Stderr, buf[:]); err != nil {
			return 0, err
		}
	}
	return took, nil
}

// Close closes both connections; again, it does nothing.
func (s *Session) Close() {
	for _, fd := range []*int{&s.FD, &s.Stderr} {
		if *fd >= 0 {
			syscall.Close(*fd)
			*fd = -1
		}
	}
}

// Once runs `true` and returns connect to NUL and connect to end of file.
func (t Target) Once(withStderr bool) (nul, eof time.Duration, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := t.Open("true", withStderr)
	if err != nil {
		return 0, 0, err
	}
	eof, err = s.Finish()
	return s.NUL, eof, err
}

// Read is read(2), begun again when a signal interrupts it.
func Read(fd int, buf []byte) (int, error) {
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

// WriteAll sends a text.
func WriteAll(fd int, text string) error {
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
