//go:build 386 || arm

package inetd

import "golang.org/x/sys/unix"

// On these machines the plain names are the calls with 16-bit ids.
const (
	sysSetfsuid = unix.SYS_SETFSUID32
	sysSetfsgid = unix.SYS_SETFSGID32
)
