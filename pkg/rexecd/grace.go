package rexecd

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"rexecd/pkg/audit"
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
	over    bool
	stopped bool
	inside  string // the call that runs, for the log; empty if none does
}

func (r *request) startGrace() *grace {
	g := &grace{r: r, deadline: r.began.Add(r.Grace)}
	r.conn.Deadline = g.deadline
	return g
}

func (g *grace) left() time.Duration { return time.Until(g.deadline) }

// during runs a call that can hang under the timer: PAM, NSS.
func (g *grace) during(call string, f func() error) error {
	g.mu.Lock()
	if g.timer == nil {
		g.timer = time.AfterFunc(g.left(), g.expire)
	}
	g.inside = call
	g.mu.Unlock()
	err := f()
	g.mu.Lock() // waits for ever if expire is about to end the process
	defer g.mu.Unlock()
	g.inside = ""
	if err == nil && g.over && !g.stopped {
		err = g.error(call)
	}
	return err
}

// expire runs when the time is over.
func (g *grace) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	g.over = true
	if g.inside == "" {
		// Between two calls, where during will notice, or in the start of the
		// shell, which fails when its child is killed.
		session.Abort()
		return
	}
	g.r.log(audit.Event{Kind: audit.ProtocolError, Reason: g.error(g.inside)})
	g.r.Exit(1)
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

func (g *grace) error(where string) error {
	return fmt.Errorf("grace time of %v over in %s", g.r.Grace, where)
}

// reading turns a read error into a refusal without words. A read that met the
// deadline says so in the server's terms.
func (g *grace) reading(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("grace time of %v over: %w", g.r.Grace, err)
	}
	return protocolError("", err)
}
