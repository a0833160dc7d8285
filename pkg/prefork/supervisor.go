// Package prefork keeps handlers of the rexec protocol started ahead of their
// connections: the start of a process, of Go's runtime and of PAM's modules is
// then off the path of every client.
//
// The supervisor accepts (with Idle 0) or lets its handlers accept, counts, and
// starts processes. It reads not one byte of a peer, knows no account, and no
// death of a handler is its own.
package prefork

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Supervisor starts one process for each connection.
type Supervisor struct {
	Listeners []int    // listening sockets
	Idle      int      // handlers kept waiting; with 0 a process is started when a connection has come
	Max       int      // sessions at once; further connections wait in the listen queue. 0: any number
	PerSource int      // sessions at once from one source; further connections are refused. 0: any number
	Cold      []string // argv of a handler whose descriptor 0 is the connection
	Warm      []string // argv of a handler that uses NewWorker
	Path      string   // of the handlers' executable
	Stderr    int      // descriptor, the handlers' descriptor 2
	Log       io.Writer

	// Signals is the read end of a pipe where each byte is a signal that this
	// process got: SIGHUP replaces the handlers that wait, so that they read the
	// settings anew; any other stops the supervisor.
	Signals int

	// Ready, if set, is called once when the first handlers wait, Alive at least
	// every AliveEvery.
	Ready, Alive func()
	AliveEvery   time.Duration

	handlers []*handler
	deaths   int       // handlers that died before they had a connection, one after the other
	notUntil time.Time // no new handler before, after such deaths
	stopping bool
}

// A handler is one process.
type handler struct {
	pid     int
	pidfd   int
	control int // -1 for one that was started with its connection
	busy    bool
	retired bool // told to go as soon as it has nothing to do
	refused bool // its connection is refused, which is no session
	source  netip.Prefix
}

// Back-off after handlers that die before they had a connection: a broken PAM
// module or settings file must not become a fork loop.
const (
	firstBackOff = 100 * time.Millisecond
	mostBackOff  = 10 * time.Second
)

// Run supervises until it is told to stop. Commands that run then go on: each
// has its own handler, which needs no supervisor.
func (s *Supervisor) Run() error {
	for _, fd := range s.Listeners {
		unix.CloseOnExec(fd)
		// A connection that is gone again must not leave accept waiting.
		if err := unix.SetNonblock(fd, true); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
	}
	for first := true; !s.stopping; first = false {
		s.fill()
		if first && s.Ready != nil {
			s.Ready()
		}
		if err := s.wait(); err != nil {
			return err
		}
	}
	s.retire()
	return nil
}

// fill starts handlers until enough of them wait.
func (s *Supervisor) fill() {
	for s.idle() < s.Idle && s.hasCapacity() && !time.Now().Before(s.notUntil) {
		if err := s.startWorker(); err != nil {
			s.logf("%v", err)
			s.backOff()
		}
	}
}

// wait waits for the next event and deals with it.
func (s *Supervisor) wait() error {
	held := time.Until(s.notUntil) // looked at once: it ends while this runs
	fds := []unix.PollFd{{Fd: int32(s.Signals), Events: unix.POLLIN}}
	for _, fd := range s.Listeners {
		if s.Idle > 0 || !s.hasCapacity() || held > 0 {
			fd = -1 // the handlers accept; or nobody does for now
		}
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	watched := s.handlers
	for _, h := range watched {
		fds = append(fds, unix.PollFd{Fd: int32(h.pidfd), Events: unix.POLLIN})
		control := h.control
		if h.busy {
			control = -1 // it has said what it had to say
		}
		fds = append(fds, unix.PollFd{Fd: int32(control), Events: unix.POLLIN})
	}
	if _, err := unix.Poll(fds, s.timeout(held)); err != nil && err != unix.EINTR {
		return os.NewSyscallError("poll", err)
	}
	if s.Alive != nil {
		s.Alive()
	}
	if os.Getpid() == 1 {
		s.reapOrphans()
	}
	if fds[0].Revents != 0 {
		s.readSignal()
	}
	for i, fd := range s.Listeners {
		if fds[1+i].Revents != 0 {
			s.accept(fd)
		}
	}
	for i, at := 0, 1+len(s.Listeners); i < len(watched); i, at = i+1, at+2 {
		// What it said before its end, first.
		if fds[at+1].Revents != 0 {
			s.readReport(watched[i])
		}
		if fds[at].Revents != 0 {
			s.reap(watched[i])
		}
	}
	return nil
}

// timeout is when wait has something to do by itself, in poll(2)'s milliseconds.
// held is how long no handler may be started.
func (s *Supervisor) timeout(held time.Duration) int {
	t := time.Duration(-1)
	if s.AliveEvery > 0 {
		t = s.AliveEvery
	}
	if wanted := s.idle() < s.Idle && s.hasCapacity(); held > 0 || wanted {
		if held = max(held, 0); t < 0 || held < t {
			t = held
		}
	}
	if os.Getpid() == 1 && (t < 0 || t > orphansEvery) {
		t = orphansEvery
	}
	if t < 0 {
		return -1
	}
	return int(t/time.Millisecond) + 1
}

// readSignal acts on one signal.
func (s *Supervisor) readSignal() {
	var sig [1]byte
	if n, err := unix.Read(s.Signals, sig[:]); n == 0 || err != nil {
		return
	}
	if unix.Signal(sig[0]) == unix.SIGHUP {
		s.logf("reloading: handlers that wait are replaced")
		s.notUntil, s.deaths = time.Time{}, 0
		s.retire()
		return
	}
	s.logf("stopping: commands that run go on")
	s.stopping = true
}

// retire tells the handlers that wait to go. One that has accepted a connection
// at this moment serves it.
func (s *Supervisor) retire() {
	for _, h := range s.handlers {
		if !h.busy && !h.retired {
			h.retired = true
			unix.Shutdown(h.control, unix.SHUT_WR)
		}
	}
}

// readReport reads the source of the connection that a handler has accepted, and
// answers with a verdict.
func (s *Supervisor) readReport(h *handler) {
	var buf [64]byte
	n, err := unix.Read(h.control, buf[:])
	if err != nil || n == 0 {
		return // it ends; reap sees to it
	}
	s.deaths = 0
	from, _ := netip.ParsePrefix(string(buf[:n]))
	verdict := byte(serve)
	if !h.retired { // one that is takes no verdict any more, and serves
		verdict = s.judge(from)
	}
	if verdict != drop { // with which it goes on waiting
		h.assign(from, verdict)
	}
	unix.Write(h.control, []byte{verdict}) // fails only if it has died, which reap notices
}

// reap removes a handler that has ended.
func (s *Supervisor) reap(h *handler) {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(h.pid, &ws, unix.WNOHANG, nil); err != nil && err != unix.ECHILD {
		return
	}
	unix.Close(h.pidfd)
	if h.control >= 0 {
		unix.Close(h.control)
	}
	kept := make([]*handler, 0, len(s.handlers)) // not in place: wait ranges over the old slice
	for _, other := range s.handlers {
		if other != h {
			kept = append(kept, other)
		}
	}
	s.handlers = kept
	if !h.busy && !h.retired {
		s.logf("a handler that waited died: %v", ending(ws))
		s.backOff()
	}
}

func (s *Supervisor) backOff() {
	d := mostBackOff
	if s.deaths < 7 {
		d = min(firstBackOff<<s.deaths, mostBackOff)
	}
	s.deaths++
	s.notUntil = time.Now().Add(d)
}

func ending(ws unix.WaitStatus) string {
	if ws.Signaled() {
		return fmt.Sprintf("signal %d (%s)", int(ws.Signal()), unix.SignalName(ws.Signal()))
	}
	return fmt.Sprintf("exit status %d", ws.ExitStatus())
}

func (s *Supervisor) logf(format string, args ...any) {
	fmt.Fprintf(s.Log, "in.rexecd: "+format+"\n", args...)
}
