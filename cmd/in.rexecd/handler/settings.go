package handler

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"rexecd/pkg/rexec/wire"
	"rexecd/pkg/rexecd"
	"rexecd/pkg/rexecd/rules"
	"rexecd/pkg/settings"
)

// server makes a server of the settings file and the flags, which have the last word.
func (p *Program) server(o options) (rexecd.Config, error) {
	set, from, err := settings.ReadServer(o.config)
	if err != nil {
		return p.Config(settings.DefaultServer()), err
	}
	c := p.Config(set)
	if c.Rules, err = rules.New(set, from); err != nil {
		return p.Config(settings.DefaultServer()), err
	}
	if o.single && !o.record { // nobody is let in there
		if c.Single, err = readSingle(); err != nil {
			return c, err
		}
	}
	if os.Geteuid() != 0 {
		if o.single && c.Penalties != nil {
			c.Penalties.Dir = ownDir()
		} else {
			c.Penalties = nil // there is nobody but the invoking user to guess, and /run is root's
		}
	}
	if o.closeOnExit {
		c.OnExit = rexecd.Shutdown
	}
	if o.noKeepAlive {
		c.KeepAlive.On = false
	}
	if o.noTrust {
		c.Trust = false
	}
	if c.TLS.On = o.tls; o.tls {
		own, err := os.Executable()
		if err != nil {
			return c, err
		}
		c.TLS.Relay = filepath.Join(filepath.Dir(own), "rexec-tlsd")
	}
	if o.noRoot {
		c.PermitRoot = false
	}
	return c, nil
}

// singleFd is where rexecd -debug passes the user of USERID and PASSWORD: a file in
// memory, which all handlers share, with the two separated by a NUL.
const singleFd = 3

// readSingle reads the single user, and closes the descriptor.
func readSingle() (*rexecd.Single, error) {
	defer unix.Close(singleFd)
	var b [wire.MaxUser + 1 + wire.MaxPassword + 1]byte
	n, err := unix.Pread(singleFd, b[:], 0)
	if err != nil {
		return nil, os.NewSyscallError("read single user", err)
	}
	user, password, ok := bytes.Cut(b[:n], []byte{0})
	switch {
	case !ok || len(user) == 0 || len(password) == 0:
		return nil, errors.New("no single user: rexecd -debug passes it")
	case os.Geteuid() == 0:
		return nil, errors.New("root serves no single user")
	}
	return &rexecd.Single{User: string(user), Password: password}, nil
}

// ownDir is where a user who is not root keeps penalties.
func ownDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return dir + "/in.rexecd"
	}
	return "/tmp/in.rexecd-" + strconv.Itoa(os.Geteuid())
}
