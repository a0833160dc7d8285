package rexec

import "syscall"

// Package syscall has no names for Winsock's own WSAECONNREFUSED.
const (
	errRefused = syscall.Errno(10061)
	errReset   = syscall.Errno(10054)
)
