package session

// #include "watchdog.h"
import "C"

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Limits are a process's resource limits, by their numbers.
type Limits struct {
	saved  bool
	limits [16]unix.Rlimit // RLIM_NLIMITS
}

// SaveLimits notes this process's limits before pam_limits changes them, which
// it can do for nobody but the process that asks. A user's limit on processes,
// memory or file sizes must not be what ends the parent before it has closed the
// session: what Go's runtime could need meanwhile, and dies without, is taken before.
//
// That is memory, and no thread: the runtime wants another one when a call into PAM
// takes long, and has one that waits for work, as no timer and no other goroutine
// keeps it. The watchdog gets the limits too.
func SaveLimits() (l Limits) {
	growHeap()
	l.saved = true
	for i := range l.limits {
		if unix.Prlimit(0, i, nil, &l.limits[i]) != nil {
			l.saved = false
		}
	}
	if l.saved {
		C.session_watchdog_limits((*[2]C.uint64_t)(unsafe.Pointer(&l.limits)))
	}
	return l
}

// SpareThreads makes the runtime have some threads more than it uses: it never ends
// one, and takes an idle one before it makes another. A goroutine that is locked to a
// thread and waits keeps that one from the others.
func SpareThreads(n int) {
	there, enough := make(chan struct{}), make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			there <- struct{}{}
			<-enough
			runtime.UnlockOSThread()
		}()
	}
	for range n {
		<-there
	}
	close(enough)
}

// Go's heap grows by pieces of 4 MB that end at multiples of that, and begins
// anywhere in one (runtime: pallocChunkBytes).
const (
	heapPiece = 4 << 20
	heapRoom  = 1 << 20 // several times what is allocated from here to the end
)

// growHeap has the heap grow now if little is left of its last piece: once in ten
// processes a session's limit on memory was met by the growth, to no purpose, since
// the rest of the piece is never touched.
func growHeap() {
	taken := make([]byte, heapRoom/4) // too large for the stack, and for holes further down
	at := uintptr(unsafe.Pointer(unsafe.SliceData(taken)))
	if left := heapPiece - int(at%heapPiece); left < heapRoom+len(taken) {
		taken = make([]byte, left)
	}
	runtime.KeepAlive(taken)
}

// Restore puts the limits back, once the command has inherited the session's.
// A hard limit that was lowered needs cap_sys_resource; without, the soft limit is
// raised as far as it goes.
func (l Limits) Restore() {
	if !l.saved {
		return
	}
	for i, limit := range l.limits {
		if unix.Prlimit(0, i, &limit, nil) == nil {
			continue
		}
		var now unix.Rlimit
		if unix.Prlimit(0, i, nil, &now) == nil {
			now.Cur = min(limit.Cur, now.Max)
			_ = unix.Prlimit(0, i, &now, nil)
		}
	}
}
