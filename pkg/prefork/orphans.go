package prefork

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// orphansEvery is how soon the ended processes are reaped that nobody else will.
const orphansEvery = time.Second

// mostOrphans are reaped before anything else is seen to: a user whose processes
// fork and end as fast as they are reaped must not keep this from its other work.
const mostOrphans = 64

// reapOrphans does what falls to process 1 of a container: processes that
// commands have left running have become its children.
func (s *Supervisor) reapOrphans() {
	s.moreOrphans = false
	for range mostOrphans {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		pid := endedPid(&info)
		if err != nil || pid == 0 || s.handler(pid) != nil { // a handler: reap sees to it first
			return
		}
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
	s.moreOrphans = true
}

func (s *Supervisor) handler(pid int) *handler {
	for _, h := range s.handlers {
		if h.pid == pid {
			return h
		}
	}
	return nil
}

// endedPid is si_pid, which follows the three numbers that every siginfo begins
// with, on machines with 64 bits after a gap.
func endedPid(info *unix.Siginfo) int {
	const head = 3 * 4
	offset := (head + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}
