package rig

import (
	"fmt"
	"net/netip"
	"syscall"
)

// A Target is where a client finds a server.
type Target struct {
	Addr netip.Addr
	Port int
}

// Loopback is a server found by a client on the same host.
func Loopback(port int) Target {
	return Target{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Port: port}
}

// At is another port of the same host.
func (t Target) At(port int) Target {
	t.Port = port
	return t
}

// socket makes a socket of the client's. A server that hangs is a result, not a
// reason to wait for ever.
func (t Target) socket() (fd int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 60})
	return fd, nil
}

func (t Target) connect(fd int) error {
	return syscall.Connect(fd, &syscall.SockaddrInet4{Port: t.Port, Addr: t.Addr.As4()})
}

// Dial connects and sends nothing.
func (t Target) Dial() (int, error) {
	fd, err := t.socket()
	if err != nil {
		return -1, err
	}
	return fd, t.connect(fd)
}
