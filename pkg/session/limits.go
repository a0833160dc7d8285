package session

// int session_restore_nofile(void);
import "C"

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// RestoreLimits undoes what Go's runtime did to the process's resource limits.
// It is called once, before PAM's modules look at them.
func RestoreLimits() error {
	if _, err := C.session_restore_nofile(); err != nil {
		return fmt.Errorf("restore limit of open files: %w", err)
	}
	return nil
}

// Limits are a process's resource limits, by their numbers.
type Limits struct {
	saved  bool
	limits [16]unix.Rlimit // RLIM_NLIMITS
}

// SaveLimits notes this process's limits before pam_limits changes them, which
// it can do for nobody but the process that asks. A user's limit on processes,
// memory or file sizes must not be what ends the parent before it has closed the
// session.
//
// Without cap_sys_resource a hard limit that was lowered stays. A thread that Go's
// runtime then cannot make is the end of the process, so a few are made before.
func SaveLimits() (l Limits) {
	if !canRaise() {
		spareThreads(2)
	}
	l.saved = true
	for i := range l.limits {
		if unix.Prlimit(0, i, nil, &l.limits[i]) != nil {
			l.saved = false
		}
	}
	return l
}

// canRaise tells whether hard limits can be raised again.
func canRaise() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	return unix.Capget(&header, &sets[0]) == nil && sets[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// spareThreads makes the runtime have n threads more than it uses: it never ends
// one, and takes an idle one before it makes another. A goroutine that is locked
// to a thread and waits keeps that one from the others.
func spareThreads(n int) {
	ready, release := make(chan struct{}), make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			ready <- struct{}{}
			<-release
			runtime.UnlockOSThread()
			ready <- struct{}{}
		}()
	}
	for range n {
		<-ready
	}
	close(release)
	for range n {
		<-ready
	}
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
