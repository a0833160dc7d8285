package main

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A right is that to bind reserved ports.
type right struct {
	has bool
	own bool // the caller's, who is root: not given by the program's file
}

// takeRight finds out what this program may do that its caller may not, and gives up
// all of it but the right to bind ports.
func takeRight() *right {
	// Nobody traces it, and no core of it is written: it may hold a password.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if os.Getuid() == 0 {
		return &right{has: capable(), own: true}
	}
	r := &right{has: capable()}
	if os.Geteuid() != os.Getuid() || os.Getegid() != os.Getgid() { // set-user-ID, as rsh has been
		if r.has {
			everyThread(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1)
		}
		uid, gid := os.Getuid(), os.Getgid()
		if syscall.Setresgid(gid, gid, gid) != nil || syscall.Setresuid(uid, uid, uid) != nil {
			os.Exit(exitFailed)
		}
	}
	if r.has {
		limitTo(1 << unix.CAP_NET_BIND_SERVICE)
	}
	return r
}

// drop gives the right up, for good.
func (r *right) drop() {
	if r.has && !r.own {
		limitTo(0)
		r.has = false
	}
}

// missing says how to have the right.
func (r *right) missing(port int) string {
	if r.has {
		return "only root has one to another port than 514 (-p)"
	}
	return "run rsh as root, or as a package installs it (setcap cap_net_bind_service=ep)"
}

// capable reports whether this process may bind reserved ports.
func capable() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_NET_BIND_SERVICE) != 0
}

// limitTo takes away all other capabilities. A program that cannot does not go on.
func limitTo(capabilities uint32) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: capabilities, Permitted: capabilities}}
	everyThread(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])))
}

// everyThread makes a system call on each thread: credentials belong to threads. What
// its arguments point to stays where it is meanwhile.
//
//go:uintptrescapes
func everyThread(call, a, b uintptr) {
	if _, _, err := syscall.AllThreadsSyscall(call, a, b, 0); err != 0 {
		os.Exit(exitFailed)
	}
}
