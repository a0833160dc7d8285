//go:build !386 && !arm

package inetd

import "golang.org/x/sys/unix"

// The calls with 32-bit ids.
const (
	sysSetfsuid = unix.SYS_SETFSUID
	sysSetfsgid = unix.SYS_SETFSGID
)
