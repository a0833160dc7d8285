package inetd

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A timer of the kernel's signals the thread that started it, as often as it takes.
type timer int32

// sigevent is the kernel's struct sigevent, of 64 bytes (linux/signal.h).
type sigevent struct {
	value                  uintptr
	signal, notify, thread int32
	_                      [64 - 12 - unsafe.Sizeof(uintptr(0))]byte
}

// startTimer starts a timer for the calling goroutine, which is locked to its thread.
func startTimer(d time.Duration, signal unix.Signal) (t timer, err error) {
	const clockMonotonic, sigevThreadID = unix.CLOCK_MONOTONIC, 4
	event := sigevent{signal: int32(signal), notify: sigevThreadID, thread: int32(unix.Gettid())}
	_, _, e := unix.RawSyscall(unix.SYS_TIMER_CREATE, clockMonotonic,
		uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&t)))
	if e != 0 {
		return 0, os.NewSyscallError("timer_create", e)
	}
	// struct itimerspec: the interval, then the first time.
	spec := [2]unix.Timespec{unix.NsecToTimespec((d / 10).Nanoseconds()), unix.NsecToTimespec(d.Nanoseconds())}
	_, _, e = unix.RawSyscall6(unix.SYS_TIMER_SETTIME, uintptr(t), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if e != 0 {
		t.stop()
		return 0, os.NewSyscallError("timer_settime", e)
	}
	return t, nil
}

func (t timer) stop() { unix.RawSyscall(unix.SYS_TIMER_DELETE, uintptr(t), 0, 0) }
