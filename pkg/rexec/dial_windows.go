package rexec

import (
	"errors"
	"syscall"
)

// Package syscall has no names for Winsock's own WSAECONNREFUSED.
const (
	errRefused = syscall.Errno(10061)
	errReset   = syscall.Errno(10054)
)

// portTaken reports whether the local port of a failed connection is another's:
// WSAEADDRINUSE, WSAEADDRNOTAVAIL.
func portTaken(err error) bool {
	return errors.Is(err, syscall.Errno(10048)) || errors.Is(err, syscall.Errno(10049))
}
