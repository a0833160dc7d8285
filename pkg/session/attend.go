package session

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Status is how the command ended.
type Status struct {
	Exit    int            // exit status, -1 if there is none
	Signal  syscall.Signal // that killed it, 0 if none did
	Stopped bool           // this process was told to stop, and the command had not ended soon after
}

// Attention is what a Process is watched with.
type Attention struct {
	Stop *Stop // the requests to stop that this process gets
	// Signals is the stderr connection, where each byte is a signal number; nil
	// if there is none.
	Signals interface {
		io.Reader
		Fd() int
	}
	// Primary, unless negative, is watched for the loss of the peer, upon
	// which the process group gets SIGHUP.
	Primary int
}

// patience is how long the command is given to end when this process is told to stop.
const patience = 2 * time.Second

// Attend delivers signals until the command has ended, and returns how.
func (p *Process) Attend(a Attention) (Status, error) {
	const ended, told, signals, primary = 0, 1, 2, 3
	fds := []unix.PollFd{
		ended:   {Fd: int32(p.pidfd), Events: unix.POLLIN},
		told:    {Fd: int32(a.Stop.fd), Events: unix.POLLIN},
		signals: {Fd: -1, Events: unix.POLLIN},
		primary: {Fd: int32(a.Primary)}, // no events: only loss is reported
	}
	if a.Signals != nil {
		fds[signals].Fd = int32(a.Signals.Fd())
	}
	var until time.Time // when waiting ends after a stop
	for {
		timeout := -1
		if !until.IsZero() {
			timeout = max(int(time.Until(until)/time.Millisecond), 0)
		}
		n, err := unix.Poll(fds, timeout)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return Status{Exit: -1}, os.NewSyscallError("poll", err)
		case n == 0:
			return Status{Exit: -1, Stopped: true}, nil
		}
		if fds[ended].Revents != 0 {
			return p.reap()
		}
		if fds[told].Revents != 0 {
			fds[told].Fd, until = -1, time.Now().Add(patience)
			unix.Kill(-p.pid, a.Stop.signal())
		}
		// An error with nothing to read stays for ever: the command holds the socket as
		// well and can have such made (SO_TIMESTAMPING), so it is looked at once.
		if e := fds[signals].Revents; e != 0 && (e&unix.POLLIN == 0 || !readSignals(a.Signals, p.kill)) {
			fds[signals].Fd = -1
		}
		if e := fds[primary].Revents; e != 0 {
			fds[primary].Fd = -1
			if e&unix.POLLHUP != 0 {
				p.kill(unix.SIGHUP)
			}
		}
	}
}

// readSignals delivers the signal numbers that have arrived, and tells whether
// more may come. End of file is not the end of anything: GNU's client closes
// its half at once.
//
// What comes next is left alone for a while: a peer that sends without a pause
// must not have a core of root's time for it.
func readSignals(r io.Reader, send func(syscall.Signal)) bool {
	var buf [64]byte
	n, err := r.Read(buf[:])
	for _, b := range buf[:n] {
		if b != 0 && b <= 64 {
			send(syscall.Signal(b))
		}
	}
	pause := unix.NsecToTimespec(int64(n) * int64(signalPause))
	_ = unix.Nanosleep(&pause, nil)
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded) // the command has read it
}

// signalPause is how long a signal is paid for: 10,000 in a second are more than
// any client means, and some 3 % of a core.
const signalPause = 100 * time.Microsecond

// reap takes the status of the ended command. Until now it was a zombie, so its
// process group's number could not become another's.
func (p *Process) reap() (Status, error) {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(p.pid, &ws, 0, nil)
		if err == unix.EINTR {
			continue
		}
		unix.Close(p.pidfd)
		if err != nil {
			return Status{Exit: -1}, fmt.Errorf("wait for command: %w", err)
		}
		if ws.Signaled() {
			return Status{Exit: -1, Signal: ws.Signal()}, nil
		}
		return Status{Exit: ws.ExitStatus()}, nil
	}
}

// kill sends a signal to the process group with the user's rights, never with
// root's, by changing this thread's ids for the one call.
//
// kill(2) measures the sender by its effective and real ids, and the target by
// its real and saved ids. So the effective id becomes the user's; the real id
// becomes nobody's, as root's would still permit root's signals; and the saved id
// stays root's, to come back by. A thread that became the user altogether could
// be killed by the user, and this process with it. No further thread is needed,
// which a fork bomb could deny.
func (p *Process) kill(sig syscall.Signal) {
	if !p.user {
		unix.Kill(-p.pid, sig)
		return
	}
	const root = 0
	_, _, e := unix.RawSyscall(sysSetresuid, nobody, uintptr(p.uid), root)
	if e == unix.EINVAL { // a user namespace without that id
		_, _, e = unix.RawSyscall(sysSetresuid, nobody16, uintptr(p.uid), root)
	}
	if e != 0 {
		return // rather than with more rights
	}
	unix.RawSyscall(unix.SYS_KILL, uintptr(-p.pid), uintptr(sig), 0)
	_, _, e = unix.RawSyscall(sysSetresuid, root, root, root)
	if err := errors.Join(errnoOrNil(e), undumpable()); err != nil {
		panic(fmt.Errorf("take root back after a signal: %w", err)) // nothing here is meant to run as the user
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
