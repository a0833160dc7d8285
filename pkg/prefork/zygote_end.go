package prefork

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// wrongFlags is the exit status of in.rexecd where its C code has not seen the flag.
const wrongFlags = 2

// retire has a zygote end as soon as what it was asked for is made.
func (z *zygote) retire() {
	z.retired = true
	if len(z.asked) == 0 {
		z.due = time.Now().Add(mostForkTime)
		z.close()
	}
}

func (z *zygote) close() {
	if z.channel >= 0 {
		unix.Close(z.channel)
		z.channel = -1
	}
}

func (s *Supervisor) retireZygotes() {
	for _, z := range s.zygotes {
		z.retire()
	}
}

// killHanging ends zygotes that do not answer.
func (s *Supervisor) killHanging() {
	for _, z := range s.zygotes {
		if !z.due.IsZero() && time.Now().After(z.due) {
			s.zygoteFailed("the process that handlers are forked from hangs (a PAM module, a name service?): killed")
			z.due, z.retired = time.Time{}, true
			s.abandon(z) // it may take its time to die; its handlers' places are needed now
			_ = unix.PidfdSendSignal(z.pidfd, unix.SIGKILL, nil, 0)
		}
	}
}

// abandon forgets what a zygote was asked for. A handler that was made after all finds
// that its talk is over.
func (s *Supervisor) abandon(z *zygote) {
	z.close()
	for _, h := range z.asked {
		s.remove(h)
	}
	z.asked = nil
}

// reapZygote removes a zygote that has ended.
func (s *Supervisor) reapZygote(z *zygote) {
	s.readZygote(z) // why, perhaps
	var ws unix.WaitStatus
	if _, err := unix.Wait4(z.pid, &ws, unix.WNOHANG, nil); err != nil && !errors.Is(err, unix.ECHILD) {
		return
	}
	unix.Close(z.pidfd)
	s.abandon(z)
	kept := make([]*zygote, 0, len(s.zygotes))
	for _, other := range s.zygotes {
		if other != z {
			kept = append(kept, other)
		}
	}
	s.zygotes = kept
	s.adoptUntilMade()
	switch {
	case z.retired:
		return
	case !z.ready && ws.Exited() && ws.ExitStatus() == wrongFlags:
		s.withoutZygote("in.rexecd does not take -zygote") // a C library that tells constructors nothing
		return
	}
	s.zygoteFailed(fmt.Sprintf("the process that handlers are forked from died: %v", ending(ws)))
}

// zygoteFailed has handlers executed until there is another zygote, a little later.
func (s *Supervisor) zygoteFailed(why string) {
	s.noZygoteUntil = time.Now().Add(min(firstBackOff<<min(s.zygoteDeaths, 7), mostBackOff))
	s.zygoteDeaths++
	s.sayOnce(why)
}

// withoutZygote has handlers executed, until SIGHUP or until a file changes.
func (s *Supervisor) withoutZygote(why string) {
	s.noZygote = true
	s.retireZygotes()
	s.sayOnce(why + ": each handler is started anew, which takes longer")
}

func (s *Supervisor) sayOnce(text string) {
	if text != s.said {
		s.said = text
		s.logf("%s", text)
	}
}
