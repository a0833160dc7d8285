// Package prefork keeps handlers of the rexec protocol started ahead of their
// connections: the start of a process, of Go's runtime and of PAM's modules is
// then off the path of every client.
//
// The supervisor accepts (with Idle 0) or lets its handlers accept, counts, and
// starts processes. It reads no peer data, knows no accounts, and survives
// the death of any handler.
package prefork

import (
	"fmt"
	"io"
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
	Zygote    []string // argv of a process that such handlers are forked from; nil: each is executed
	Service   string   // PAM service that the zygote loads
	Watch     []string // files and directories whose change has the zygote replaced
	Path      string   // of the handlers' executable
	Stderr    int      // descriptor, the handlers' descriptor 2
	Secret    int      // descriptor 3 of the handlers of Cold; 0: none
	Log       io.Writer
	AsNobody  func(f func()) // calls f with ids that no account has: a command's socket must not be root's

	// Signals is the read end of a pipe where each byte is a signal that this
	// process got: SIGHUP replaces the handlers that wait, so that they read the
	// settings anew; any other stops the supervisor.
	Signals int

	// Ready, if set, is called once when the first handlers wait, Alive at least
	// every AliveEvery, and Reload when SIGHUP asks for handlers that read their files again.
	Ready, Alive, Reload func()
	AliveEvery           time.Duration

	startTime time.Duration // 0: mostStartTime
	handlers  []*handler
	deaths    int       // handlers that died before they had a connection, one after the other
	notUntil  time.Time // no new handler before, after such deaths
	stopping  bool

	moreOrphans bool // may be left to reap
	orphansSeen time.Time
	hasAdopted  bool // they may come
	adopts      bool // processes whose parent ends become this one's children

	zygotes       []*zygote // one that is not retired at most
	noZygote      bool      // it cannot be had
	noZygoteUntil time.Time // after its death
	zygoteDeaths  int       // one after the other
	unsound       int       // zygotes whose handlers died, one after the other
	said          string    // the last message about them
	mapped        []string  // files that the zygote has mapped
	seen          string    // their state and Watch's
	nextLook      time.Time
}

// Back-off after handlers that die before they had a connection: a broken PAM
// module or settings file must not become a fork loop.
const (
	firstBackOff = 100 * time.Millisecond
	mostBackOff  = 10 * time.Second
)

// Run supervises until a signal stops it. Commands that run then go on: each
// has its own handler, which needs no supervisor.
func (s *Supervisor) Run() error {
	for _, fd := range s.Listeners {
		unix.CloseOnExec(fd)
		// A connection that is gone again must not leave accept waiting.
		if err := unix.SetNonblock(fd, true); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
	}
	for told := s.Ready == nil; !s.stopping; {
		if s.orphansDue() { // before handlers are asked for, and after known ones were reaped
			s.reapOrphans()
		}
		s.fill()
		if !told && !s.awaitsZygote() {
			s.Ready()
			told = true
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
	s.keepZygote()
	for s.wanted() && !time.Now().Before(s.notUntil) && !s.awaitsZygote() {
		if err := s.startWorker(); err != nil {
			s.logf("%v", err)
			s.backOff()
		}
	}
}

// wanted reports whether a handler is to be started.
func (s *Supervisor) wanted() bool { return s.idle() < s.Idle && s.hasCapacity() }

// wait waits for the next event and deals with it.
func (s *Supervisor) wait() error {
	blockedFor := time.Until(s.notUntil) // looked at once: it ends while this runs
	fds, act := s.watch(blockedFor)
	if _, err := unix.Poll(fds, s.timeout(blockedFor)); err != nil && err != unix.EINTR {
		return os.NewSyscallError("poll", err)
	}
	if s.Alive != nil {
		s.Alive()
	}
	for i, do := range act {
		if fds[i].Revents != 0 {
			do()
		}
	}
	s.killOverdue()
	s.killHanging()
	return nil
}

// watch is what wait polls, and what to do about each. Nothing in it that is not
// watched: poll(2) takes no more entries than this process may have descriptors.
func (s *Supervisor) watch(blockedFor time.Duration) (fds []unix.PollFd, act []func()) {
	add := func(fd int, do func()) {
		fds, act = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}), append(act, do)
	}
	add(s.Signals, s.readSignal)
	if s.Idle == 0 && s.hasCapacity() && blockedFor <= 0 { // else the handlers accept, or nobody does for now
		for _, fd := range s.Listeners {
			add(fd, func() { s.accept(fd) })
		}
	}
	for _, h := range s.handlers {
		if h.control >= 0 {
			add(h.control, func() { s.readReport(h) })
		}
		if h.pid > 0 {
			add(h.pidfd, func() { s.reap(h) }) // what it reported before its end comes first
		}
	}
	for _, z := range s.zygotes {
		if z.channel >= 0 {
			add(z.channel, func() { s.readZygote(z) })
		}
		add(z.pidfd, func() { s.reapZygote(z) })
	}
	return fds, act
}

// timeout is when wait has something to do by itself, in poll(2)'s milliseconds.
// blockedFor is how long no handler may be started.
func (s *Supervisor) timeout(blockedFor time.Duration) int {
	if s.moreOrphans && !s.adopts {
		return 0
	}
	t := time.Duration(-1)
	within := func(d time.Duration) {
		if d = max(d, 0); t < 0 || d < t {
			t = d
		}
	}
	if s.AliveEvery > 0 {
		within(s.AliveEvery)
	}
	z := s.zygote()
	switch {
	case blockedFor > 0:
		within(blockedFor)
	case s.wanted() && !s.awaitsZygote():
		within(0)
	case s.wanted() && !z.ready && z.channel >= 0:
		within(time.Until(z.began.Add(startPatience)))
	}
	if z == nil && s.Zygote != nil && s.Idle > 0 && !s.noZygote {
		within(time.Until(s.noZygoteUntil))
	}
	for _, h := range s.handlers {
		if h.pid > 0 && !h.due.IsZero() {
			within(time.Until(h.due))
		}
	}
	for _, z := range s.zygotes {
		if !z.due.IsZero() {
			within(time.Until(z.due))
		}
	}
	if every := s.orphansEvery(); every > 0 {
		within(every)
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
		if s.Reload != nil {
			s.Reload()
		}
		s.notUntil, s.deaths = time.Time{}, 0
		s.noZygote, s.noZygoteUntil, s.unsound, s.said = false, time.Time{}, 0, ""
		s.retireZygotes()
		s.retire()
		return
	}
	s.logf("stopping: commands that run go on")
	s.stopping = true
}

func (s *Supervisor) backOff() {
	d := mostBackOff
	if s.deaths < 7 {
		d = min(firstBackOff<<s.deaths, mostBackOff)
	}
	s.deaths++
	s.notUntil = time.Now().Add(d)
}

func (s *Supervisor) logf(format string, args ...any) {
	fmt.Fprintf(s.Log, format+"\n", args...)
}
