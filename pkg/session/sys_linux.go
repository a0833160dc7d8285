//go:build !386 && !arm

package session

import "golang.org/x/sys/unix"

// The id calls with 32-bit ids, for one thread only: libc's and Go's wrappers
// change every thread of the process.
const (
	sysSetgid    = unix.SYS_SETGID
	sysSetgroups = unix.SYS_SETGROUPS
	sysSetresuid = unix.SYS_SETRESUID
)
