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

// betweenOrphans is how long they wait at most while there is other work: until they
// are reaped they count against their user's RLIMIT_NPROC.
const betweenOrphans = time.Second

// orphansDue reports whether to reap them now: not while a handler is being made,
// which is not known yet, and not at each event, which costs more with more sessions.
func (s *Supervisor) orphansDue() bool {
	if s.orphansEvery() == 0 || s.adopts {
		return false
	}
	return s.moreOrphans || os.Getpid() == 1 || time.Since(s.orphansSeen) >= betweenOrphans
}

// orphansLate reports whether they have waited longer, since a handler is always being
// made: then none is for a moment.
func (s *Supervisor) orphansLate() bool {
	return s.hasAdopted && (s.moreOrphans || time.Since(s.orphansSeen) >= 2*betweenOrphans)
}

// mostOrphans are reaped before anything else is seen to: a user whose processes
// fork and end as fast as they are reaped must not keep this from its other work.
const mostOrphans = 64

// reapOrphans does what falls to process 1 of a container: processes that
// commands have left running have become its children.
func (s *Supervisor) reapOrphans() {
	seen := s.orphansSeen
	s.moreOrphans, s.orphansSeen = false, time.Now()
	for range mostOrphans {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		pid := endedPid(&info)
		if err != nil || pid == 0 {
			return
		}
		if s.known(pid) { // reap sees to it first; others may be behind it
			s.orphansSeen = seen
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
