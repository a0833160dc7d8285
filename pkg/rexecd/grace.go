package rexecd

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/penalty"
	"rexecd/pkg/session"
)

// grace is one timer over everything before the command: a peer that dribbles,
// a module that hangs, a home directory that does not answer. Reads end at the
// deadline by themselves; a PAM module can only be ended with the process.
type grace struct {
	r        *request
	deadline time.Time

	mu      sync.Mutex
	timer   *time.Timer // nil until the first call that can hang
	stopped bool
	inside  string // the call that runs, for the log; empty if none does
}

// A graceOver is the end of the grace time.
type graceOver struct {
	grace time.Duration
	where string
}

func (e *graceOver) Error() string {
	return fmt.Sprintf("grace time of %v over in %s", e.grace, e.where)
}
func (e *graceOver) Unwrap() error { return os.ErrDeadlineExceeded }

func (r *request) startGrace() *grace {
	g := &grace{r: r, deadline: r.began.Add(r.Grace)}
	r.conn.Deadline = g.deadline
	return g
}

func (g *grace) left() time.Duration { return time.Until(g.deadline) }

// during runs a call that can hang under the timer: PAM, NSS.
func (g *grace) during(call string, f func() error) error {
	if err := g.enter(call); err != nil {
		return err
	}
	err := f()
	g.mu.Lock() // waits for ever if expire is about to end the process
	defer g.mu.Unlock()
	g.inside = ""
	return err
}

// enter notes the call that begins, unless it is too late for one.
func (g *grace) enter(call string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.over(call); err != nil {
		return err
	}
	if g.timer == nil {
		g.timer = time.AfterFunc(g.left(), g.expire)
	}
	g.inside = call
	return nil
}

// over is a *graceOver once the time is.
func (g *grace) over(where string) error {
	if g.left() > 0 {
		return nil
	}
	return &graceOver{g.r.Grace, where}
}

// expire runs when the time is over.
func (g *grace) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.stopped:
	case g.inside != "":
		kind := audit.ProtocolError
		if g.r.late() {
			kind = audit.Failed
			g.r.penalise(penalty.AuthFail)
		}
		g.r.log(audit.Event{Kind: kind, Reason: g.over(g.inside)})
		g.r.Exit(1)
	case g.left() < -abortPatience:
		g.r.log(audit.Event{Kind: audit.InternalError, Reason: g.over("the start of the shell, whose process cannot be killed")})
		g.r.release(true) // which has them as well
		g.r.Exit(1)
	default:
		// Between two calls, where enter will notice; or in the start of the
		// shell, which fails when its child is killed. There may be none yet.
		session.Abort()
		g.timer.Reset(expireAgain)
	}
}

// A child that is killed is gone at once, unless it waits for a file system that
// does not answer: a home directory that is the user's own (FUSE), or a server's.
// Longer than lingerTime, which a shell that could not be started may take as well.
const (
	expireAgain   = 100 * time.Millisecond
	abortPatience = 5 * time.Second
)

// late tells whether the peer took most of the grace time for its request, so that
// a login which is cut off counts as failed. Whether it is depends on how long PAM
// takes, which is longer for a user who exists: free of charge, it would tell of
// that, and of passwords one by one. A directory that does not answer is nobody's
// fault who asked in time.
func (r *request) late() bool {
	return !r.proven && !r.asked.IsZero() && r.asked.Sub(r.began) > r.Grace/2
}

// stop ends the timer: the command runs, or never will.
func (g *grace) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopped = true
	if g.timer != nil {
		g.timer.Stop()
	}
}

// reading turns a read error into a refusal without words. A read that met the
// deadline says so in the server's terms.
func (g *grace) reading(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("grace time of %v over: %w", g.r.Grace, err)
	}
	return protocolError("", err)
}
