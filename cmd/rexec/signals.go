package main

import (
	"os"
	"os/signal"
	"sync"

	"rexecd/pkg/rexec"
)

// A relay passes signals on to the command, as bytes on the stderr
// connection, in the numbering of the server's system.
type relay struct {
	signals chan os.Signal
	done    chan struct{}
	stopped sync.WaitGroup

	mu    sync.Mutex
	last  int         // of those that are meant to end a program
	count map[int]int // how often each came
}

// enough of INT, QUIT or TERM end rexec itself: the command may be deaf, the
// server may not pass signals on.
const enough = 3

// relaySignals begins. Without a stderr connection, or with -s, signals do
// here what they do to any program.
func relaySignals(o *options, session *rexec.Session) *relay {
	r := &relay{signals: make(chan os.Signal, 16), done: make(chan struct{}), count: map[int]int{}}
	if o.noSignals || !session.HasStderr() {
		endOnQuit()
		return r
	}
	for _, forwarded := range forwardedSignals() {
		if !signal.Ignored(forwarded) { // nohup(1) meant it
			signal.Notify(r.signals, forwarded)
		}
	}
	r.stopped.Add(1)
	go func() {
		defer r.stopped.Done()
		for {
			select {
			case got := <-r.signals:
				r.pass(got, session, o.bsdSignals)
			case <-r.done:
				return
			}
		}
	}()
	return r
}

func (r *relay) pass(got os.Signal, session *rexec.Session, bsd bool) {
	number := signalNumber(got)
	session.Signal(wireNumber(got, bsd)) // if it fails, the session is ending
	if endsPrograms(got) {
		r.mu.Lock()
		r.last = number
		r.count[number]++
		over := r.count[number] >= enough
		r.mu.Unlock()
		if over {
			os.Exit(128 + number)
		}
	}
	stopHere(got)
}

// stop ends the passing on.
func (r *relay) stop() {
	signal.Stop(r.signals)
	close(r.done)
	r.stopped.Wait()
}

// fatal is the number of the signal that was to end the command, or 0.
func (r *relay) fatal() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
