package prefork

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A zygote is a process that has loaded what a handler needs and not started Go's
// runtime (preinit/zygote.c). Handlers of Warm are forked from it. They become this
// process's own children, each with descriptors that the zygote never has.
type zygote struct {
	pid, pidfd int
	channel    int // -1 once it is asked for nothing any more: it ends
	began      time.Time
	due        time.Time // when it must have answered, or have ended; zero: whenever
	ready      bool      // has loaded everything
	retired    bool      // makes no further handlers
	forks      int
	asked      []*handler // to be made, oldest first
	sound      bool       // one of its handlers has begun to wait
}

const (
	// mostForks is how many processes have the same addresses and guards, at most.
	mostForks = 1000

	// mostAsked bounds what is on its way to a zygote at once: descriptors in
	// messages count against RLIMIT_NOFILE.
	mostAsked = 16

	// mostForkTime is how long a fork may take, on a host that swaps as well.
	mostForkTime = 10 * time.Second

	// mostEndTime is how long a process may take to end that has closed its socket.
	mostEndTime = time.Second

	// startPatience is how long a zygote may take to start before handlers are
	// executed instead.
	startPatience = 500 * time.Millisecond

	// mostUnsound is how many zygotes in a row may make handlers that die before they wait.
	mostUnsound = 3

	// unsoundPause is how long handlers are executed after those.
	unsoundPause = time.Minute
)

// readyZygote is the first word of a zygote that can be forked, before the names of
// the files that it has mapped. Any other report is why it cannot.
const readyZygote = "ready\x00"

// keepZygote sees to it that there is a zygote that is new enough.
func (s *Supervisor) keepZygote() {
	if s.Zygote == nil || s.Idle == 0 {
		return
	}
	if z := s.zygote(); (z != nil && z.ready || s.noZygote) && s.wanted() && s.changed() {
		s.noZygote = false
		s.retireZygotes()
		s.logf("what handlers are made of has changed: the next ones load it anew")
	}
	if s.zygote() == nil && !s.noZygote && !time.Now().Before(s.noZygoteUntil) {
		if err := s.startZygote(); err != nil {
			s.zygoteFailed(fmt.Sprintf("start %s: %v", s.Path, err))
		}
	}
}

// zygote is the one that handlers are to be made by; nil: none.
func (s *Supervisor) zygote() *zygote {
	for _, z := range s.zygotes {
		if !z.retired {
			return z
		}
	}
	return nil
}

// awaitsZygote reports whether a handler is better made a little later, by the
// zygote, than executed now.
func (s *Supervisor) awaitsZygote() bool {
	z := s.zygote()
	switch {
	case z == nil:
		return false
	case z.channel < 0: // it has ended, or will have in a moment
		return true
	case z.ready:
		return len(z.asked) >= mostAsked || len(z.asked) > 0 && s.orphansLate()
	}
	return time.Since(z.began) < startPatience
}

// startZygote starts one. It reports later that it is ready.
func (s *Supervisor) startZygote() error {
	s.look() // before it maps anything: what changes meanwhile is a change
	pair, err := talk()
	if err != nil {
		return err
	}
	defer unix.Close(pair[1])
	_ = unix.Sendto(pair[0], []byte(s.Service), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil) // it is there to be read
	pid, pidfd, err := s.execute(s.Zygote, []int{-1, -1, -1, pair[1]})
	if err != nil {
		unix.Close(pair[0])
		return err
	}
	now := time.Now()
	z := &zygote{pid: pid, pidfd: pidfd, channel: pair[0], began: now, due: now.Add(s.patience())}
	s.zygotes = append(s.zygotes, z)
	return nil
}

// fork asks for a handler, which gets one end of its talk with this process.
func (s *Supervisor) fork(z *zygote, h *handler, end int) error {
	if err := s.adopt(true); err != nil {
		h.closeControl()
		return err
	}
	const more = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	// The zygote never gets these: the handler reads them from its own socket.
	err := unix.Sendmsg(h.control, []byte{'l'}, unix.UnixRights(s.Listeners...), nil, more)
	if err == nil {
		err = unix.Sendmsg(z.channel, []byte{'f'}, unix.UnixRights(end), nil, more)
	}
	if err != nil {
		h.closeControl()
		s.adoptUntilMade()
		return fmt.Errorf("start handler: %w", os.NewSyscallError("sendmsg", err))
	}
	h.from = z
	s.handlers = append(s.handlers, h)
	if z.asked = append(z.asked, h); len(z.asked) == 1 {
		z.due = time.Now().Add(min(mostForkTime, s.patience()))
	}
	if z.forks++; z.forks == mostForks {
		z.retire()
	}
	return nil
}

// adopt makes this process the parent of processes whose own parent ends. Only while
// a handler is being made: what commands leave running belongs to process 1.
func (s *Supervisor) adopt(on bool) error {
	if s.adopts == on {
		return nil
	}
	flag := uintptr(0)
	if on {
		flag = 1
	}
	err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, flag, 0, 0, 0)
	if err != nil {
		s.withoutZygote(os.NewSyscallError("prctl", err).Error())
		return err
	}
	if !s.hasAdopted {
		s.orphansSeen = time.Now()
	}
	s.adopts, s.hasAdopted = on, true
	return nil
}

// readZygote reads a zygote's report and its answers.
func (s *Supervisor) readZygote(z *zygote) {
	buf := make([]byte, 64)
	if !z.ready {
		buf = make([]byte, 64<<10) // the names are many
	}
	for z.channel >= 0 {
		n, _, err := unix.Recvfrom(z.channel, buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
		case err != nil || n == 0:
			z.close() // reapZygote does the rest, if need be after killHanging
			if !z.retired {
				z.due = time.Now().Add(mostEndTime)
			}
		case z.ready && n == 4 && len(z.asked) > 0:
			s.made(z, int(int32(binary.NativeEndian.Uint32(buf))))
		case bytes.HasPrefix(buf[:n], []byte(readyZygote)) && !z.ready:
			z.ready, z.due = true, time.Time{}
			s.loaded(strings.FieldsFunc(string(buf[len(readyZygote):n]), func(r rune) bool { return r == 0 }))
		default:
			s.withoutZygote(string(buf[:n]))
		}
	}
}

// made takes a zygote's answer: the process id of a handler, or a negative errno.
func (s *Supervisor) made(z *zygote, pid int) {
	h := z.asked[0]
	z.asked, z.due = z.asked[1:], time.Time{}
	if len(z.asked) > 0 {
		z.due = time.Now().Add(mostForkTime)
	} else if z.retired {
		z.close()
	}
	err := error(nil)
	if pid <= 0 {
		err = os.NewSyscallError("fork", unix.Errno(-pid))
	} else {
		h.pid = pid // nobody else reaps it: it is still there
		if h.pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
			err = os.NewSyscallError("pidfd_open", err)
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, nil, 0, nil)
		} else if h.control < 0 && !h.busy { // readReport had nobody to kill
			s.kill(h)
		}
	}
	if err != nil {
		s.remove(h)
		s.logf("start handler: %v", err)
		s.backOff()
	}
	s.adoptUntilMade()
}

// adoptUntilMade ends what fork has begun.
func (s *Supervisor) adoptUntilMade() {
	for _, z := range s.zygotes {
		if len(z.asked) > 0 {
			return
		}
	}
	_ = s.adopt(false)
}
