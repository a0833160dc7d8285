package session

// #include "ask.h"
import "C"

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

type question C.enum_ask

const (
	askSignals    = question(C.ASK_SIGNALS)
	askProbes     = question(C.ASK_PROBES)
	answerEnd     = C.ANSWER_END
	answerNothing = C.ANSWER_NOTHING
	answerBytes   = C.ANSWER_BYTES
)

// An asker asks sockets what may take for ever, one question at a time. Its
// answers come through a pipe.
type asker struct {
	out   [2]int // the pipe; 0 until the first question
	pid   int    // who was asked last and has not been reaped; 0 if nobody
	asked bool   // the answer is outstanding
}

// ask puts a question, and reports whether it could: another may be outstanding,
// or the host may be out of processes.
func (a *asker) ask(what question, fd int) bool {
	if a.asked || !a.reap() {
		return false
	}
	if a.out == [2]int{} {
		if err := unix.Pipe2(a.out[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			a.out = [2]int{}
			return false
		}
	}
	pid, _ := C.session_ask(C.enum_ask(what), C.int(fd), C.int(a.out[1]))
	if pid > 0 {
		a.pid, a.asked = int(pid), true
	}
	return pid > 0
}

// fd is readable when there is an answer; -1 if none can come.
func (a *asker) fd() int32 {
	if !a.asked {
		return -1
	}
	return int32(a.out[0])
}

// answer is an answer, and the bytes that came with it.
func (a *asker) answer() (int, []byte, error) {
	a.asked = false
	var b [1 + C.ASK_BYTES]byte
	n, err := unix.Read(a.out[0], b[:])
	if err != nil || n == 0 {
		return 0, nil, os.NewSyscallError("read answer", err)
	}
	return int(b[0]), b[1:n], nil
}

// reap reports whether nobody is left to be reaped.
func (a *asker) reap() bool {
	if a.pid != 0 {
		if got, err := unix.Wait4(a.pid, nil, unix.WNOHANG|unix.WALL, nil); got == 0 && err == nil {
			return false
		}
		a.pid = 0
	}
	return true
}

// close leaves an answer that has not come to itself.
func (a *asker) close() {
	if a.pid != 0 {
		unix.Kill(a.pid, unix.SIGKILL)
		for i := 0; i < 20 && !a.reap(); i++ {
			unix.Nanosleep(&unix.Timespec{Nsec: int64(100 * time.Microsecond)}, nil)
		}
	}
	if a.out != [2]int{} {
		unix.Close(a.out[0])
		unix.Close(a.out[1])
	}
	*a = asker{}
}
