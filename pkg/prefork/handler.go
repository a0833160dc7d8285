package prefork

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A handler is one process.
type handler struct {
	pid     int // 0 until the zygote has made it
	pidfd   int
	control int     // -1 once it has its connection
	from    *zygote // nil: it was executed
	loaded  bool    // has begun to wait
	busy    bool
	retired bool      // asked to end as soon as it has nothing to do
	refused bool      // its connection is refused, which is no session
	due     time.Time // when it must wait for connections or, retired, have ended; zero: whenever
	source  netip.Prefix
}

// A handler that is started ahead loads PAM's modules and asks the name services,
// which may hang. It counts as one that waits, so that it must not do so for ever;
// directory servers get the time to be missed.
const mostStartTime = 2 * time.Minute

func (s *Supervisor) patience() time.Duration {
	if s.startTime > 0 {
		return s.startTime
	}
	return mostStartTime
}

// retire asks the handlers that wait to end. One that has accepted a connection
// at this moment serves it.
func (s *Supervisor) retire() {
	for _, h := range s.handlers {
		if !h.busy && !h.retired {
			s.retireHandler(h)
		}
	}
}

func (s *Supervisor) retireHandler(h *handler) {
	h.retired, h.due = true, time.Now().Add(s.patience())
	// Fails only if it has died, which reap notices.
	_ = unix.Sendto(h.control, []byte{leave}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
}

// killOverdue ends handlers that hang before they have a connection.
func (s *Supervisor) killOverdue() {
	for _, h := range s.handlers {
		if h.overdue(time.Now()) {
			s.logf("a handler hangs before it has a connection (a PAM module, a name service?): killed")
			s.kill(h)
		}
	}
}

// overdue reports whether it hangs. One that is not made yet is the zygote's to answer for.
func (h *handler) overdue(now time.Time) bool {
	return h.pid > 0 && !h.due.IsZero() && now.After(h.due)
}

// kill ends a handler without a connection. reap does the rest.
func (s *Supervisor) kill(h *handler) {
	h.due = time.Time{}
	_ = unix.PidfdSendSignal(h.pidfd, unix.SIGKILL, nil, 0) // fails only if it has ended
}

// readReport reads the reports of a handler without a connection.
func (s *Supervisor) readReport(h *handler) {
	var buf [64]byte
	for h.control >= 0 {
		n, _, err := unix.Recvfrom(h.control, buf[:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
		case err != nil || n == 0:
			// It ends, or a module has closed its descriptors: then it would wait for
			// ever, and make poll return for ever.
			h.closeControl()
			if !h.retired { // else it does as asked, and would be taken for one that crashed
				s.kill(h)
			}
		case string(buf[:n]) == ready:
			h.loaded = true
			if h.from != nil {
				h.from.sound, s.unsound, s.zygoteDeaths = true, 0, 0
			}
			if !h.retired {
				h.due = time.Time{}
			}
		default:
			from, _ := netip.ParsePrefix(string(buf[:n]))
			s.answer(h, from)
		}
	}
}

// answer sends the verdict on the connection that a handler has accepted.
func (s *Supervisor) answer(h *handler, from netip.Prefix) {
	verdict := s.judge(from)
	if verdict == serve { // handlers work; peers that are refused must not set the pace of failing starts
		s.deaths, s.notUntil = 0, time.Time{}
	}
	// Fails only if it has died, which reap notices.
	_ = unix.Sendto(h.control, []byte{verdict}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
	if verdict != drop { // with which it goes on waiting, or, retired, ends
		h.assign(from, verdict)
	}
}

func (h *handler) closeControl() {
	if h.control >= 0 {
		unix.Close(h.control)
		h.control = -1
	}
}

// reap removes a handler that has ended.
func (s *Supervisor) reap(h *handler) {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(h.pid, &ws, unix.WNOHANG, nil); err != nil && err != unix.ECHILD {
		return
	}
	unix.Close(h.pidfd)
	s.remove(h)
	if h.from != nil && (ws.Signaled() || ws.ExitStatus() == runtimeCrash) {
		s.crashed(h)
	}
	if !h.busy && !h.retired {
		s.logf("a handler that waited died: %v", ending(ws))
		s.backOff()
	}
}

// remove forgets a handler that has ended, or that the zygote has not made.
func (s *Supervisor) remove(h *handler) {
	h.closeControl()
	kept := make([]*handler, 0, len(s.handlers)) // not in place: wait ranges over the old slice
	for _, other := range s.handlers {
		if other != h {
			kept = append(kept, other)
		}
	}
	s.handlers = kept
}

// runtimeCrash is the exit status of a program in Go that a signal of its own making
// ends, or a panic.
const runtimeCrash = 2

// crashed replaces what has the same addresses as a handler that crashed: whoever made
// it do so gets no second try at them.
func (s *Supervisor) crashed(h *handler) {
	s.logf("a handler crashed: those that wait and have the same addresses are replaced")
	h.from.retire()
	for _, other := range s.handlers {
		if other.from == h.from && !other.busy && !other.retired {
			s.retireHandler(other)
		}
	}
	if h.from.sound || h.loaded {
		return
	}
	h.from.sound = true // it counts once
	if s.unsound++; s.unsound == mostUnsound {
		s.unsound, s.noZygoteUntil = 0, time.Now().Add(unsoundPause)
		s.logf("handlers that are forked die before they wait: for %v each is started anew", unsoundPause)
	}
}

func ending(ws unix.WaitStatus) string {
	if ws.Signaled() {
		return fmt.Sprintf("signal %d (%s)", int(ws.Signal()), unix.SignalName(ws.Signal()))
	}
	return fmt.Sprintf("exit status %d", ws.ExitStatus())
}
