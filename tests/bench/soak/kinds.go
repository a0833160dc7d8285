package soak

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"rexecd/tests/bench/rig"
)

// mixed runs n connections of every kind, eight at once, and returns how many of them logged in.
func mixed(at rig.Target, n int) (int, error) {
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
				if err := kind.run(at); err != nil {
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
		{"bad port", false, func(at rig.Target) error {
			return refused(at, "99999\x00"+rig.UserName+"\x00"+rig.Password+"\x00true\x00")
		}},
		{"wrong password", false, func(at rig.Target) error { return refused(at, "\x00"+rig.UserName+"\x00wrong\x00true\x00") }},
		{"unknown user", false, func(at rig.Target) error { return refused(at, "\x00nobody-here\x00"+rig.Password+"\x00true\x00") }},
		{"command killed", true, func(at rig.Target) error { return command(at, "kill -9 $$", false) }},
		{"signal", true, signalled},
		{"client vanishes", true, vanish},
		{"stderr port", true, func(at rig.Target) error { return command(at, "echo out; echo err >&2", true) }},
	}
	for range 32 {
		list = append(list, kind{"true", true, func(at rig.Target) error { return command(at, "true", false) }})
	}
	return list
}()

type kind struct {
	name  string
	login bool
	run   func(at rig.Target) error
}

func command(at rig.Target, text string, stderr bool) error {
	s, err := at.Open(text, stderr)
	if err != nil {
		return err
	}
	_, err = s.Finish()
	return err
}

// signalled sends SIGTERM down the stderr connection to a command that would last.
func signalled(at rig.Target) error {
	s, err := at.Open("sleep 300", true)
	if err != nil {
		return err
	}
	if err := rig.WriteAll(s.Stderr, string(rune(syscall.SIGTERM))); err != nil {
		return err
	}
	_, err = s.Finish()
	return err
}

// vanish resets the connection of a running command; `cat` sees it and ends.
func vanish(at rig.Target) error {
	s, err := at.Open("cat", false)
	if err != nil {
		return err
	}
	defer s.Close()
	return syscall.SetsockoptLinger(s.FD, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

func resetAtOnce(at rig.Target) error {
	fd, err := at.Dial()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

// refused sends a request that must be answered with one line.
func refused(at rig.Target, request string) error {
	fd, err := at.Dial()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := rig.WriteAll(fd, request); err != nil {
		return err
	}
	var answer [200]byte
	n, err := rig.Read(fd, answer[:])
	if err != nil || n < 2 || answer[0] != 1 {
		return errors.Join(fmt.Errorf("not refused: %q", answer[:max(n, 0)]), err)
	}
	return nil
}
