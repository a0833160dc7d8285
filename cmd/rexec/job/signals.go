package job

import (
	"errors"
	"os"
	"os/signal"
	"sync"

	"rexecd/pkg/rexec"
)

// A relay passes signals on to the command, as bytes on the stderr
// connection, in the numbering of the server's system. Until the command runs,
// with one connection and with -s they do here what they do to any program.
type relay struct {
	job     *Job
	session *rexec.Session
	signals chan os.Signal
	done    chan struct{}
	stopped sync.WaitGroup

	mu    sync.Mutex
	last  int         // of those that are meant to end a program
	count map[int]int // how often each came
}

// enough of INT, QUIT, TERM or HUP end rexec itself: the command may be deaf, the
// server may not pass signals on.
const enough = 3

// relaySignals begins. It is called before the session is started: whoever
// sees the command's first output can be sure that signals go there.
func relaySignals(j *Job, session *rexec.Session) *relay {
	r := &relay{job: j, session: session, signals: make(chan os.Signal, 16),
		done: make(chan struct{}), count: map[int]int{}}
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
				r.take(got)
			case <-r.done:
				return
			}
		}
	}()
	return r
}

func (r *relay) take(got os.Signal) {
	number := SignalNumber(got)
	wire := wireNumber(got, r.job.BSDSignals)
	if r.job.NoSignals || r.job.RshSignals && !rshPassesOn(got) {
		wire = 0
	}
	err := r.session.Signal(wire)
	stays := wire == 0 || errors.Is(err, rexec.ErrNoStderr) || errors.Is(err, rexec.ErrNotStarted)
	if stays && !isJobControl(got) || r.note(got) >= enough {
		if !errors.Is(err, rexec.ErrNotStarted) {
			r.job.leftRunning()
		}
		os.Exit(128 + number)
	}
	stopHere(got)
}

// note counts a signal that is meant to end a program.
func (r *relay) note(got os.Signal) int {
	if !endsPrograms(got) {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = SignalNumber(got)
	r.count[r.last]++
	return r.count[r.last]
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
