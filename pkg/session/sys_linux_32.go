//go:build 386 || arm

package session

import "golang.org/x/sys/unix"

// On these machines the plain names are the calls with 16-bit ids.
const (
	sysSetgid    = unix.SYS_SETGID32
	sysSetgroups = unix.SYS_SETGROUPS32
	sysSetresuid = unix.SYS_SETRESUID32
)
