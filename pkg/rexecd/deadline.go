package rexecd

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/session"
)

// A deadline is one time over everything before the command: a peer that
// dribbles, a module that hangs, a home directory that does not answer. Reads end
// at it by themselves; a PAM module can only be ended with the process, which is
// the watchdog's work.
type deadline struct {
	limit time.Duration
	at    time.Time
	// watchdog is armed by the first call that can hang; nil, in tests: none does.
	watchdog *session.Watchdog
	armed    bool
	// expired is what would be left to do if the time were over in a call, or in the
	// start of a process that then cannot be killed.
	expired func(over *graceOver, start bool) remains
}

// remains are what is left of a connection when the time is over: a report, and the
// descriptors to close after it, the second one first (-1: none).
type remains struct {
	report          report
	primary, second int
}

// A graceOver is the end of the grace time.
type graceOver struct {
	limit time.Duration
	where string
}

func (e *graceOver) Error() string {
	return fmt.Sprintf("grace time of %v over in %s", e.limit, e.where)
}
func (e *graceOver) Unwrap() error { return os.ErrDeadlineExceeded }

func (d *deadline) left() time.Duration { return time.Until(d.at) }

// during runs a call that can hang, PAM's or NSS's, under the watchdog.
func (d *deadline) during(call string, f func() error) error {
	return d.watch(call, false, f)
}

// starting runs what starts a process, which can hang on its way to its program.
func (d *deadline) starting(what string, f func() error) error {
	return d.watch("the start of "+what, true, f)
}

func (d *deadline) watch(where string, start bool, f func() error) error {
	if err := d.over(where); err != nil {
		return err
	}
	if err := d.arm(); err != nil {
		return err
	}
	if !d.armed {
		return f()
	}
	watched := d.watchdog.Call
	if start {
		watched = d.watchdog.Start
	}
	r := d.expired(&graceOver{d.limit, where}, start)
	return watched(r.report.encode(), r.primary, r.second, f)
}

// arm arms the watchdog, if that has not been done.
func (d *deadline) arm() error {
	if d.armed || d.watchdog == nil {
		return nil
	}
	err := d.watchdog.Arm(d.left())
	d.armed = err == nil
	return err
}

// await lets the time pass, and has done at its end what is done when a call hangs.
// It returns only if it could not.
func (d *deadline) await(r remains) {
	if d.watchdog == nil || d.watchdog.Arm(d.left()) != nil {
		return
	}
	d.armed = true
	_ = d.watchdog.Call(r.report.encode(), r.primary, r.second, func() error {
		for {
			unix.Ppoll(nil, nil, nil)
		}
	})
}

// over returns a *graceOver after the deadline.
func (d *deadline) over(where string) error {
	if d.left() > 0 {
		return nil
	}
	return &graceOver{d.limit, where}
}

// stop ends it: the command runs, or never will.
func (d *deadline) stop() {
	if d.armed {
		d.armed = false
		d.watchdog.Disarm()
	}
}

// sleepUntil waits. A timer of Go's would start the poller, and keep a thread.
func sleepUntil(t time.Time) {
	for left := time.Until(t); left > 0; left = time.Until(t) {
		ts := unix.NsecToTimespec(left.Nanoseconds())
		unix.Nanosleep(&ts, nil)
	}
}
