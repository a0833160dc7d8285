//go:build !windows

package rexec

import (
	"errors"
	"syscall"
)

const (
	errRefused = syscall.ECONNREFUSED
	errReset   = syscall.ECONNRESET
)

// portTaken reports whether the local port of a failed connection is another's.
func portTaken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}
