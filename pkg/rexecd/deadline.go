package rexecd

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// A deadline is one timer over everything before the command: a peer that
// dribbles, a module that hangs, a home directory that does not answer. Reads end
// at it by themselves; a PAM module can only be ended with the process.
type deadline struct {
	limit time.Duration
	at    time.Time
	// expired runs on a goroutine of its own when the time is over: inside is the
	// call that hangs, empty if none does, late how long ago the time was over. It
	// ends the process, or returns when to run again; 0: never.
	expired func(inside string, late time.Duration) (again time.Duration)

	mu      sync.Mutex
	timer   *time.Timer // nil until the first call that can hang
	stopped bool
	inside  string
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

// during runs a call that can hang under the timer: PAM, NSS.
func (d *deadline) during(call string, f func() error) error {
	if err := d.enter(call); err != nil {
		return err
	}
	err := f()
	d.mu.Lock() // waits for ever if expire is about to end the process
	defer d.mu.Unlock()
	d.inside = ""
	return err
}

// enter notes the call that begins, unless it is too late for one.
func (d *deadline) enter(call string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.over(call); err != nil {
		return err
	}
	if d.timer == nil {
		d.timer = time.AfterFunc(d.left(), d.expire)
	}
	d.inside = call
	return nil
}

// over returns a *graceOver after the deadline.
func (d *deadline) over(where string) error {
	if d.left() > 0 {
		return nil
	}
	return &graceOver{d.limit, where}
}

func (d *deadline) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	if again := d.expired(d.inside, -d.left()); again > 0 {
		d.timer.Reset(again)
	}
}

// stop ends the timer: the command runs, or never will.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
