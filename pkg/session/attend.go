package session

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
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
	// if there is none. It is closed when the peer has closed it.
	Signals interface {
		io.Reader
		Fd() int
		Close()
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
	kill := p.signaller()
	defer kill.close()
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
		if fds[signals].Revents != 0 && !readSignals(a.Signals, kill.send) {
			fds[signals].Fd = -1
		}
		if fds[primary].Revents != 0 {
			fds[primary].Fd = -1
			kill.send(unix.SIGHUP)
		}
	}
}

// readSignals delivers the signal numbers that have arrived, and tells whether
// more may come. End of file is not the end of anything: GNU's client closes
// its half at once.
func readSignals(r interface {
	io.Reader
	Close()
}, send func(syscall.Signal)) bool {
	var buf [64]byte
	n, err := r.Read(buf[:])
	for _, b := range buf[:n] {
		if b != 0 && b <= 64 {
			send(syscall.Signal(b))
		}
	}
	if err != nil {
		r.Close() // nothing more to come: do not keep the peer's end open for it
	}
	return err == nil
}

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

// A signaller sends signals to the process group with the user's rights.
// Credentials are per thread on Linux: a thread is made the user's, for good, and
// does nothing else. It is started by the first signal; most commands get none.
type signaller struct {
	p     *Process
	queue chan syscall.Signal
}

func (p *Process) signaller() *signaller { return &signaller{p: p} }

func (s *signaller) send(sig syscall.Signal) {
	if s.queue == nil {
		s.queue = make(chan syscall.Signal)
		go s.run()
	}
	s.queue <- sig
}

func (s *signaller) close() {
	if s.queue != nil {
		close(s.queue)
	}
}

func (s *signaller) run() {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	err := s.becomeUser()
	for sig := range s.queue {
		if err == nil {
			unix.Kill(-s.p.pid, sig)
		}
	}
}

// becomeUser gives the thread's ids up, with raw calls, which change no other
// thread's. Without root rights all capabilities are gone as well.
func (s *signaller) becomeUser() error {
	if s.p.uid < 0 {
		return nil
	}
	uid := uintptr(s.p.uid)
	if _, _, e := unix.RawSyscall(sysSetresuid, uid, uid, uid); e != 0 {
		return fmt.Errorf("take user %d: %w", s.p.uid, e)
	}
	if uid != 0 {
		if _, _, e := unix.RawSyscall(sysSetresuid, 0, 0, 0); e == 0 {
			return errors.New("root could be taken back")
		}
	}
	// The change set the process's memory to fs.suid_dumpable.
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
