package session

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Program is one that decides about a command before there is one. It has no
// terminal, no session and nothing of the connection's: a pipe for its input, one
// for its output, /dev/null for its errors.
type Program struct {
	Path           string
	Env            []string
	UID, GID       int
	Groups         []int
	ChangeIdentity bool // false only without root

	Input     []byte
	MaxOutput int           // bytes; a program that prints more is ended
	Patience  time.Duration // a program that takes longer is ended
}

// What ends a program before its time.
var (
	errTooLate = errors.New("it took too long")
	errTooMuch = errors.New("it printed too much")
)

// Run runs a program to its end, and returns how it ended and what it printed. Its
// process group ends with it, and with this process. It must be called on the thread
// that PAM was called on, before Start.
func (p *Program) Run() (Status, []byte, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return Status{}, nil, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(null)
	var in, out [2]int
	if err := unix.Pipe2(in[:], unix.O_CLOEXEC); err != nil {
		return Status{}, nil, os.NewSyscallError("pipe", err)
	}
	r := &exchange{Program: p, in: in[1]}
	defer r.closeInput()
	if err := unix.Pipe2(out[:], unix.O_CLOEXEC); err != nil {
		unix.Close(in[0])
		return Status{}, nil, os.NewSyscallError("pipe", err)
	}
	r.out = out[0]
	defer unix.Close(r.out)
	child, err := launch(&Command{
		Shell: p.Path, Argv: []string{p.Path}, Env: p.Env, Home: "/",
		UID: p.UID, GID: p.GID, ChangeIdentity: p.ChangeIdentity,
		Streams: Streams{In: in[0], Out: out[1], Err: null},
	}, p.Groups, true)
	unix.Close(in[0])
	unix.Close(out[1])
	if err != nil {
		return Status{}, nil, err
	}
	return r.finish(child)
}

// An exchange is with a program that runs.
type exchange struct {
	*Program
	in, out int // this process's ends of the pipes; in is -1 once closed
	sent    int
	printed []byte
}

// finish talks to the program until it has ended, or has to be.
func (r *exchange) finish(child *Process) (Status, []byte, error) {
	until := time.Now().Add(r.Patience)
	err := errors.Join(unix.SetNonblock(r.in, true), unix.SetNonblock(r.out, true))
	if err == nil {
		err = r.talk(child, until)
	}
	// Before it is reaped: until then no other group can have the number.
	unix.Kill(-child.pid, unix.SIGKILL)
	if err != nil {
		reapSoon(child.pid, child.pidfd)
		return Status{}, nil, err
	}
	if _, err = r.read(); err == nil { // what was left in the pipe
		return r.reap(child)
	}
	reapSoon(child.pid, child.pidfd)
	return Status{}, nil, err
}

// reap takes the program's status. A tracer of the program's own user could hold it
// back.
func (r *exchange) reap(child *Process) (Status, []byte, error) {
	defer unix.Close(child.pidfd)
	for until := time.Now().Add(tracedTime); ; {
		status, ended, err := wait(child.pid)
		switch {
		case err != nil:
			return Status{}, nil, err
		case ended:
			return status, r.printed, nil
		case time.Now().After(until):
			return Status{}, nil, errTraced
		}
		unix.Nanosleep(&unix.Timespec{Nsec: int64(10 * time.Millisecond)}, nil)
	}
}

// talk writes the input and reads the output until the program has ended.
func (r *exchange) talk(child *Process, until time.Time) error {
	fds := []unix.PollFd{
		{Fd: int32(child.pidfd), Events: unix.POLLIN},
		{Fd: int32(r.out), Events: unix.POLLIN},
		{Events: unix.POLLOUT},
	}
	for {
		fds[2].Fd = int32(r.in)
		left := time.Until(until)
		if left <= 0 {
			return fmt.Errorf("%w: more than %v", errTooLate, r.Patience.Round(time.Millisecond))
		}
		if _, err := unix.Poll(fds, int(left/time.Millisecond)+1); err == unix.EINTR {
			continue
		} else if err != nil {
			return os.NewSyscallError("poll", err)
		}
		if fds[0].Revents != 0 {
			return nil
		}
		if fds[1].Revents != 0 {
			end, err := r.read()
			if err != nil {
				return err
			}
			if end {
				fds[1].Fd = -1 // closed, and the program runs on
			}
		}
		if fds[2].Revents != 0 {
			r.write()
		}
	}
}

// read reads what there is, and reports whether it is all there will be.
func (r *exchange) read() (end bool, err error) {
	var b [4096]byte
	for {
		n, err := unix.Read(r.out, b[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false, nil
		case err != nil || n == 0:
			return true, os.NewSyscallError("read", err)
		case len(r.printed)+n > r.MaxOutput:
			return true, fmt.Errorf("%w: more than %d bytes", errTooMuch, r.MaxOutput)
		default:
			r.printed = append(r.printed, b[:n]...)
		}
	}
}

// write writes what there is room for. A program need not read its input.
func (r *exchange) write() {
	n, err := unix.Write(r.in, r.Input[r.sent:])
	switch {
	case err == unix.EINTR || err == unix.EAGAIN:
		return
	case err == nil:
		r.sent += n
	}
	if err != nil || r.sent == len(r.Input) {
		r.closeInput()
	}
}

func (r *exchange) closeInput() {
	if r.in >= 0 {
		unix.Close(r.in)
		r.in = -1
	}
}
