package prefork

import (
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// orphansEvery is how soon the ended processes are reaped that nobody else will; 0:
// there are none. Process 1 has all that commands leave running; any other, those
// that lost their parent just while a handler was being made.
func (s *Supervisor) orphansEvery() time.Duration {
	switch {
	case os.Getpid() == 1:
		return time.Second
	case s.hasAdopted:
		return 10 * time.Second
	}
	return 0
}

// orphansDue reports whether to reap them now: not while a handler is being made,
// which is not known yet, and not at each event, which costs more with more sessions.
func (s *Supervisor) orphansDue() bool {
	every := s.orphansEvery()
	return every > 0 && !s.adopts && (s.moreOrphans || every == time.Second || time.Since(s.orphansSeen) >= every)
}

// mostOrphans are reaped before anything else is seen to: a user whose processes
// fork and end as fast as they are reaped must not keep this from its other work.
const mostOrphans = 64

// reapOrphans does what falls to process 1 of a container: processes that
// commands have left running have become its children.
func (s *Supervisor) reapOrphans() {
	s.moreOrphans, s.orphansSeen = false, time.Now()
	for range mostOrphans {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		pid := endedPid(&info)
		if err != nil || pid == 0 || s.known(pid) { // reap sees to it first
			return
		}
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
	s.moreOrphans = true
}

func (s *Supervisor) known(pid int) bool {
	return slices.ContainsFunc(s.handlers, func(h *handler) bool { return h.pid == pid }) ||
		slices.ContainsFunc(s.zygotes, func(z *zygote) bool { return z.pid == pid })
}

// endedPid is si_pid, which follows the three numbers that every siginfo begins
// with, on machines with 64 bits after a gap.
func endedPid(info *unix.Siginfo) int {
	const head = 3 * 4
	offset := (head + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}
