package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
)

// mixed runs n connections of every kind, eight at once, and returns how many of them logged in.
func mixed(port, n int) (int, error) {
	var next, logins atomic.Int64
	var failed atomic.Pointer[error]
	var clients sync.WaitGroup
	for range 8 {
		clients.Add(1)
		go func() {
			defer clients.Done()
			for {
				i := next.Add(1) - 1
				if i >= int64(n) || failed.Load() != nil {
					return
				}
				kind := kinds[i%int64(len(kinds))]
				if err := kind.run(port); err != nil {
					err = fmt.Errorf("connection %d (%s): %w", i, kind.name, err)
					failed.CompareAndSwap(nil, &err)
					return
				}
				if kind.login {
					logins.Add(1)
				}
			}
		}()
	}
	clients.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return int(logins.Load()), nil
}

// kinds of connections: most are ordinary, each sort of trouble comes once in forty.
var kinds = func() []kind {
	list := []kind{
		{"reset at once", false, resetAtOnce},
		{"bad port", false, func(port int) error { return refused(port, "99999\x00"+userName+"\x00"+password+"\x00true\x00") }},
		{"wrong password", false, func(port int) error { return refused(port, "\x00"+userName+"\x00wrong\x00true\x00") }},
		{"unknown user", false, func(port int) error { return refused(port, "\x00nobody-here\x00"+password+"\x00true\x00") }},
		{"command killed", true, func(port int) error { return command(port, "kill -9 $$", false) }},
		{"signal", true, signalled},
		{"client vanishes", true, vanish},
		{"stderr port", true, func(port int) error { return command(port, "echo out; echo err >&2", true) }},
	}
	for range 32 {
		list = append(list, kind{"true", true, func(port int) error { return command(port, "true", false) }})
	}
	return list
}()

type kind struct {
	name  string
	login bool
	run   func(port int) error
}

func command(port int, text string, stderr bool) error {
	s, err := open(port, text, stderr)
	if err != nil {
		return err
	}
	_, err = s.finish()
	return err
}

// signalled sends SIGTERM down the stderr connection to a command that would last.
func signalled(port int) error {
	s, err := open(port, "sleep 300", true)
	if err != nil {
		return err
	}
	if err := writeAll(s.stderr, string(rune(syscall.SIGTERM))); err != nil {
		return err
	}
	_, err = s.finish()
	return err
}

// vanish resets the connection of a running command; `cat` sees it and ends.
func vanish(port int) error {
	s, err := open(port, "cat", false)
	if err != nil {
		return err
	}
	defer s.close()
	return syscall.SetsockoptLinger(s.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

func resetAtOnce(port int) error {
	fd, err := dial(port)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

// refused sends a request that must be answered with one line.
func refused(port int, request string) error {
	fd, err := dial(port)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := writeAll(fd, request); err != nil {
		return err
	}
	var answer [200]byte
	n, err := read(fd, answer[:])
	if err != nil || n < 2 || answer[0] != 1 {
		return errors.Join(fmt.Errorf("not refused: %q", answer[:max(n, 0)]), err)
	}
	return nil
}

func dial(port int) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 60})
	return fd, syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: loopback})
}
