package session

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Attention is what a Process is watched with.
type Attention struct {
	Stop *Stop // the requests to stop that this process gets
	// Primary and Stderr are the connections; Stderr is 0 if there is no second
	// one. Each byte that arrives on it is a signal number.
	Primary, Stderr int
	// StderrEnded, unless nil, reports whether the peer has ended the stderr
	// connection and no byte is left on it. It takes no lock of the socket's, and
	// saves a process; false also means that it is not known.
	StderrEnded func() bool
	// HangUp sends the process group SIGHUP when the peer has vanished: when the
	// primary connection is lost, or when both have been ended by the peer and the
	// stderr connection not long before the other. Where that cannot be known, because
	// there is one connection only, keepalive probes find out within about a minute
	// from the end of the input on.
	HangUp bool
	// Limit, unless 0, is how long the command may run: then its process group is sent
	// SIGTERM, and SIGKILL ten seconds later, or once the command itself has ended.
	Limit time.Duration
}

// limitPatience is how long a command has to end when its time is over.
const limitPatience = 10 * time.Second

// patience is how long the command is given to end when this process is asked to stop.
const patience = 2 * time.Second

// What is polled.
const (
	pollEnd     = iota // of the command
	pollStop           // a request to stop
	pollSignals        // bytes on the stderr connection
	pollAnswer         // the asker's
	pollPrimary        // the peer's presence
	pollStderr
	polls
)

// A watch is one Attend.
type watch struct {
	*Process
	Attention
	fds      [polls]unix.PollFd
	until    time.Time // when waiting ends after a stop; zero before
	again    time.Time // when the asker may be asked again; zero at any time
	limit    time.Time // when the command's time is over; zero: never
	limited  bool      // it was, and SIGTERM has been sent
	asker    asker
	presence presence
}

// Attend delivers signals until the command has ended, and returns how. The status
// may be known in part, and an error explain why not all of it is.
//
// Nothing that it calls on this thread can be delayed by the peer or the user.
func (p *Process) Attend(a Attention) (Status, error) {
	w := &watch{Process: p, Attention: a}
	if a.Limit > 0 {
		w.limit = time.Now().Add(a.Limit)
	}
	defer w.asker.close()
	w.fds = [polls]unix.PollFd{
		pollEnd:     {Fd: int32(p.pidfd), Events: unix.POLLIN},
		pollStop:    {Fd: int32(a.Stop.fd), Events: unix.POLLIN},
		pollSignals: {Fd: -1, Events: unix.POLLIN},
		pollAnswer:  {Fd: -1, Events: unix.POLLIN},
		pollPrimary: {Fd: -1, Events: unix.POLLRDHUP},
		pollStderr:  {Fd: -1, Events: unix.POLLRDHUP},
	}
	if a.Stderr > 0 {
		w.fds[pollSignals].Fd = int32(a.Stderr)
	}
	if a.HangUp {
		w.fds[pollPrimary].Fd = int32(a.Primary)
		if a.Stderr > 0 {
			w.fds[pollStderr].Fd = int32(a.Stderr)
		}
	}
	for first := true; ; first = false {
		// In every round: a peer that keeps poll(2) from waiting must not keep this from ending.
		if !w.until.IsZero() && !time.Now().Before(w.until) {
			return Status{Exit: -1, Stopped: true}, nil
		}
		switch _, err := unix.Poll(w.fds[:], w.timeout(first)); {
		case err == unix.EINTR:
			for i := range w.fds {
				w.fds[i].Revents = 0
			}
		case err != nil:
			return Status{Exit: -1}, os.NewSyscallError("poll", err)
		}
		if w.fds[pollEnd].Revents != 0 {
			if w.limited { // while the zombie keeps the group's number
				unix.Kill(-p.pid, unix.SIGKILL)
			}
			status, err := p.reap(a.Stop, w.until)
			status.Limited = w.limited
			return status, err
		}
		w.enforceLimit()
		if w.fds[pollStop].Revents != 0 {
			w.fds[pollStop].Fd, w.until = -1, time.Now().Add(patience)
			unix.Kill(-p.pid, a.Stop.signal())
		}
		w.signals()
		w.peer(first)
	}
}

// longestPoll is far below 2^31 milliseconds, which are 24.9 days: poll(2) takes an int,
// and a negative one is for ever.
const longestPoll = time.Hour

// timeout is how long poll(2) may wait.
func (w *watch) timeout(first bool) int {
	if first {
		return 0 // to see what was there before
	}
	next := -1
	for _, t := range []time.Time{w.until, w.again, w.limit} {
		if t.IsZero() {
			continue
		}
		left := int(max(min(time.Until(t)+time.Millisecond-1, longestPoll), 0) / time.Millisecond)
		if next < 0 || left < next {
			next = left
		}
	}
	return next
}

// enforceLimit ends a command whose time is over. The signals are root's own: no
// program that the command has become by a set-user-ID bit is exempt.
func (w *watch) enforceLimit() {
	if w.limit.IsZero() || time.Now().Before(w.limit) {
		return
	}
	signal := unix.SIGTERM
	if w.limited {
		signal, w.limit = unix.SIGKILL, time.Time{}
	} else {
		w.limited, w.limit = true, w.limit.Add(limitPatience)
	}
	unix.Kill(-w.pid, signal)
}

// signalPause is how long a signal is paid for: 10,000 in a second are more than
// any client means, and some 3 % of a core.
const signalPause = 100 * time.Microsecond

// askPause is how long a question is paid for, whatever came of it: each copies
// this process, which takes half a millisecond and more.
const askPause = 10 * time.Millisecond

// askAgain is when a host without a free process is asked for one again.
const askAgain = 20 * time.Millisecond

// signals delivers what the asker has read, and has it read what arrives next.
// What follows is left alone for a while: a peer that sends without a pause must
// not have a core of root's time for it.
func (w *watch) signals() {
	if w.fds[pollAnswer].Revents != 0 {
		w.fds[pollAnswer].Fd = -1
		answer, bytes, err := w.asker.answer()
		w.again = time.Now().Add(max(askPause, time.Duration(len(bytes))*signalPause))
		switch {
		case err != nil, answer == answerEnd:
			// End of file is not the end of anything: GNU's client closes its half at once.
			w.Stderr = 0
		case answer == answerBytes:
			deliver(bytes, w.kill)
		}
	}
	// An error with nothing to read stays for ever: the command has the socket as
	// well and can have such made (SO_TIMESTAMPING), so it is looked at once.
	e := w.fds[pollSignals].Revents
	if e != 0 && e&unix.POLLIN == 0 {
		w.Stderr = 0
	}
	switch {
	case e&unix.POLLIN != 0 && w.Stderr > 0 && w.StderrEnded != nil && w.StderrEnded():
		w.Stderr = 0
	case e&unix.POLLIN != 0 && w.Stderr > 0:
		w.ask(askSignals, w.Stderr)
	case !time.Now().Before(w.again):
		w.again = time.Time{}
		if !w.asker.asked && !w.asker.reap() { // no zombie for as long as the command runs
			w.again = time.Now().Add(askAgain)
		}
	}
	w.fds[pollSignals].Fd = -1
	if w.Stderr > 0 && !w.asker.asked && w.again.IsZero() {
		w.fds[pollSignals].Fd = int32(w.Stderr)
	}
}

// deliver sends the signals whose numbers these are.
func deliver(numbers []byte, send func(syscall.Signal)) {
	for _, b := range numbers {
		if b != 0 && b <= 64 {
			send(syscall.Signal(b))
		}
	}
}

// ask puts a question to the asker, and reports whether it could.
func (w *watch) ask(what question, fd int) bool {
	if !w.asker.ask(what, fd) {
		w.again = time.Now().Add(askAgain)
		return false
	}
	w.again = time.Time{}
	w.fds[pollAnswer].Fd = w.asker.fd()
	return true
}

// peer hangs the command up when the peer has vanished.
func (w *watch) peer(first bool) {
	seen := w.fds[pollPrimary:]
	if seen[0].Revents != 0 || seen[1].Revents != 0 {
		w.presence.look(seen, first, seen[1].Fd >= 0 || !w.presence.stderr.IsZero())
	}
	switch {
	case w.presence.vanished:
		w.presence = presence{}
		seen[0].Fd, seen[1].Fd = -1, -1
		w.kill(unix.SIGHUP)
	case w.presence.probe && !w.asker.asked:
		if w.ask(askProbes, w.Primary) {
			w.presence.probe = false
		}
	}
}

// kill sends a signal to the process group with the user's rights, never with root's.
func (p *Process) kill(sig syscall.Signal) {
	if !p.user {
		unix.Kill(-p.pid, sig)
		return
	}
	p.asUser(func() { unix.RawSyscall(unix.SYS_KILL, uintptr(-p.pid), uintptr(sig), 0) })
}

// asUser calls f with the user's rights, by changing this thread's ids meanwhile;
// not at all where they cannot be changed.
//
// kill(2) measures the sender by its effective and real ids, and the target by
// its real and saved ids. So the effective id becomes the user's; the real id
// becomes nobody's, as root's would still permit root's signals; and the saved id
// stays root's, to come back by. A thread that became the user altogether could
// be killed by the user, and this process with it. No further thread is needed,
// which a fork bomb could deny.
func (p *Process) asUser(f func()) {
	const root = 0
	_, _, e := unix.RawSyscall(sysSetresuid, nobody, uintptr(p.uid), root)
	if e == unix.EINVAL { // a user namespace without that id
		_, _, e = unix.RawSyscall(sysSetresuid, nobody16, uintptr(p.uid), root)
	}
	if e != 0 {
		return // rather than with more rights
	}
	f()
	_, _, e = unix.RawSyscall(sysSetresuid, root, root, root)
	if err := errors.Join(errnoOrNil(e), undumpable()); err != nil {
		panic(fmt.Errorf("take root back from the user: %w", err)) // nothing here is meant to run as the user
	}
}

// Ids that no account has: the largest there is, and the largest of a namespace of
// 65,536 ids, which was the error value of 16-bit ids (Debian Policy, 9.2.2). Not
// 65534: an account "nobody" has it and could send signals to this thread.
const (
	nobody   = 0xfffffffe
	nobody16 = 65535
)

func errnoOrNil(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
