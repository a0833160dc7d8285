// Package session is the user's command: its environment, its start as the user
// on the sockets themselves, the signals it is sent, its end.
package session

/*
#cgo CFLAGS: -Wall -Wextra
#include <stdlib.h>
#include <string.h>
#include "start.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Command is a shell to be started, or another program.
type Command struct {
	Shell  string   // path
	Others []string // paths to try in turn where Shell is not there
	Argv   []string // NUL-free
	Env    []string // NAME=value, NUL-free
	Home   string

	UID, GID       int
	ChangeIdentity bool // false only without root: then the process is the user already

	Streams Streams
}

// Streams are the descriptors that become the command's 0, 1 and 2: the connections
// themselves, the primary twice. The status byte goes to Out, which is a socket.
type Streams struct{ In, Out, Err int }

// A Stage is a step between the fork and the shell.
type Stage int

// The stages, in their order.
const (
	StageFork        = Stage(C.STAGE_FORK)
	StageSession     = Stage(C.STAGE_SESSION)
	StageIdentity    = Stage(C.STAGE_IDENTITY)
	StageHome        = Stage(C.STAGE_HOME)
	StageDescriptors = Stage(C.STAGE_DESCRIPTORS)
	StageShell       = Stage(C.STAGE_SHELL) // the status byte has been sent
)

func (s Stage) String() string {
	return [...]string{"fork", "start session", "take identity", "enter home directory", "set up descriptors", "start shell"}[s]
}

// A StartError is a shell that was not started.
type StartError struct {
	Stage Stage
	Err   syscall.Errno
}

func (e *StartError) Error() string { return fmt.Sprintf("%v: %v", e.Stage, e.Err) }
func (e *StartError) Unwrap() error { return e.Err }

// Text is the error in the words of strerror(3), as rexecd(8) prints it.
func (e *StartError) Text() string { return Strerror(e.Err) }

// Strerror is the text of a system error as C programs print it.
func Strerror(err syscall.Errno) string { return C.GoString(C.strerror(C.int(err))) }

// SetGroups gives the calling thread, which must be the first and locked, the
// user's group ids, as login(1) does before it asks PAM for credentials. The
// command inherits them from it.
func SetGroups(gid int, groups []int) error {
	list := make([]uint32, len(groups)+1) // one more, so that there is a first
	for i, g := range groups {
		list[i] = uint32(g)
	}
	if _, _, e := unix.RawSyscall(sysSetgid, uintptr(gid), 0, 0); e != 0 {
		return fmt.Errorf("set group %d: %w", gid, e)
	}
	_, _, e := unix.RawSyscall(sysSetgroups, uintptr(len(groups)), uintptr(unsafe.Pointer(&list[0])), 0)
	runtime.KeepAlive(list)
	if e != 0 {
		return fmt.Errorf("set groups: %w", e)
	}
	return undumpable()
}

// undumpable keeps the process's memory from everybody. Each change of ids sets
// it to the value of fs.suid_dumpable.
func undumpable() error {
	return os.NewSyscallError("prctl PR_SET_DUMPABLE", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}

// A Process is the command that was started, leader of its session and process
// group.
type Process struct {
	pid   int
	pidfd int
	user  bool // its signals are sent with the rights of uid, not with this process's
	uid   uint32
}

// Start starts the shell. It must be called on the thread that PAM was called
// on. When it returns without error the status byte has been sent and the shell
// runs; with a *StartError of StageShell the byte has been sent and it does not.
func Start(c *Command) (*Process, error) {
	if c.ChangeIdentity {
		if err := c.Streams.handOver(c.UID); err != nil {
			return nil, err
		}
	}
	return launch(c, nil, false)
}

// launch starts a command, or a program with groups of its own that is to end with
// this process.
func launch(c *Command, groups []int, guarded bool) (*Process, error) {
	s := (*C.struct_start)(C.calloc(1, C.sizeof_struct_start))
	defer C.free(unsafe.Pointer(s))
	var free func()
	s.shell, s.home, s.others, s.argv, s.envp, free = cStrings(c)
	defer free()
	s.uid, s.gid = C.uid_t(c.UID), C.gid_t(c.GID)
	if c.ChangeIdentity {
		s.change_identity = 1
	}
	if c.ChangeIdentity && guarded {
		s.groups, s.ngroups = cGroups(groups), C.size_t(len(groups))
		defer C.free(unsafe.Pointer(s.groups))
	}
	if guarded {
		s.guarded = 1
	}
	s.in, s.out, s.err = C.int(c.Streams.In), C.int(c.Streams.Out), C.int(c.Streams.Err)

	if C.session_start(s) != 0 {
		if s.pid > 0 {
			reapSoon(int(s.pid), int(s.pidfd))
		}
		return nil, &StartError{Stage(s.stage), syscall.Errno(s.error)}
	}
	return &Process{pid: int(s.pid), pidfd: int(s.pidfd), user: c.ChangeIdentity, uid: uint32(c.UID)}, nil
}

// cGroups copies a list of groups out of Go's reach.
func cGroups(groups []int) *C.gid_t {
	list := (*C.gid_t)(C.calloc(C.size_t(len(groups)+1), C.sizeof_gid_t)) // one more, so that it is not null
	for i, g := range groups {
		unsafe.Slice(list, len(groups)+1)[i] = C.gid_t(g)
	}
	return list
}

// cStrings copies what the child needs out of Go's reach.
func cStrings(c *Command) (shell, home *C.char, others, argv, envp **C.char, free func()) {
	shell, home = C.CString(c.Shell), C.CString(c.Home)
	others, argv, envp = cVector(c.Others), cVector(c.Argv), cVector(c.Env)
	return shell, home, others, argv, envp, func() {
		for _, p := range []unsafe.Pointer{unsafe.Pointer(shell), unsafe.Pointer(home),
			unsafe.Pointer(others), unsafe.Pointer(argv), unsafe.Pointer(envp)} {
			C.free(p)
		}
	}
}

// cVector is a list of strings as execve(2) takes it, in one piece of C's memory: the
// pointers, a null one, the strings.
func cVector(list []string) **C.char {
	const pointer = unsafe.Sizeof((*C.char)(nil))
	size := uintptr(len(list)+1) * pointer
	for _, s := range list {
		size += uintptr(len(s) + 1)
	}
	v := (**C.char)(C.calloc(1, C.size_t(size)))
	pointers := unsafe.Slice(v, len(list)+1)
	next := unsafe.Add(unsafe.Pointer(v), uintptr(len(list)+1)*pointer)
	for i, s := range list {
		pointers[i] = (*C.char)(next)
		copy(unsafe.Slice((*byte)(next), len(s)), s) // the NUL is there
		next = unsafe.Add(next, len(s)+1)
	}
	return v
}
