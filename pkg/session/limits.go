package session

// int session_restore_nofile(void);
import "C"

import (
	"fmt"

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
func SaveLimits() (l Limits) {
	l.saved = true
	for i := range l.limits {
		if unix.Prlimit(0, i, nil, &l.limits[i]) != nil {
			l.saved = false
		}
	}
	return l
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
