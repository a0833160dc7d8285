package session

/*
#cgo LDFLAGS: -lrt
#include <stdlib.h>
#include "watchdog.h"
*/
import "C"

import (
	"cmp"
	"fmt"
	"time"
	"unsafe"
)

// A Watchdog ends what hangs when its time is over, without a thread or a timer of
// Go's: see watchdog.c. There is one in a process. Its methods must be called on the
// thread that PAM is called on.
type Watchdog struct {
	// Argv and Env are the arguments and the environment that this program is started
	// with again, as root's, to report on descriptor 0; Stderr becomes its descriptor 2.
	Argv, Env []string
	Stderr    int

	kill, last time.Duration // 0 are killPatience and lastPatience
	report     unsafe.Pointer
}

const (
	// killPatience is for a child that is killed. It is gone at once, unless it waits for
	// a file system that does not answer: a home directory that is the user's own
	// (FUSE), or a server's. Longer than a lingering close, which may end a start.
	killPatience = 5 * time.Second
	// lastPatience is for all that follows the end of the time. Then the process ends
	// whatever it does, and whatever a module has done to the signals.
	lastPatience = 10 * time.Second
)

// Arm sets the time, again where it was set before. One that is over already ends what
// begins next.
func (w *Watchdog) Arm(left time.Duration) error {
	if w.report == nil {
		w.report = unsafe.Pointer(C.calloc(1, 1))
		C.session_watchdog_reporter(cVector(w.Argv), cVector(w.Env), C.int(w.Stderr)) // for good
	}
	kill, last := cmp.Or(w.kill, killPatience), cmp.Or(w.last, lastPatience)
	left = max(left, time.Nanosecond)
	if r, err := C.session_watchdog_arm(C.int64_t(left), C.int64_t(kill), C.int64_t(last)); r != 0 {
		return fmt.Errorf("arm watchdog: %w", err)
	}
	return nil
}

// Disarm takes the time off.
func (w *Watchdog) Disarm() { _ = C.session_watchdog_disarm() }

// Call runs f, which may hang. If its time is over first, nothing that follows it
// happens: this process ends after the reporter has, with its exit status, and the
// two connections (-1: none), the second one before the other.
func (w *Watchdog) Call(report []byte, primary, second int, f func() error) error {
	return w.run(C.ACTIVITY_CALL, report, primary, second, f)
}

// Start runs f, which starts processes. If its time is over first, the one that has
// not executed its program by then is killed, which is an error of f's. One that
// does not end by that is the end of this process, as in Call; the connections are
// shut down, since that process has them as well.
func (w *Watchdog) Start(report []byte, primary, second int, f func() error) error {
	return w.run(C.ACTIVITY_START, report, primary, second, f)
}

func (w *Watchdog) run(a C.enum_activity, report []byte, primary, second int, f func() error) error {
	C.free(w.report)
	w.report = C.CBytes(report)
	C.session_watchdog_begin(a, w.report, C.size_t(len(report)), C.int(primary), C.int(second))
	defer C.session_watchdog_end()
	return f()
}
