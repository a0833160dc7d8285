package session

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A question copies this process: a client that sends single bytes must not have one
// asked for each.
func TestQuestionsArePaidForWhateverTheyBring(t *testing.T) {
	for _, answer := range [][]byte{{answerBytes, 0}, {answerBytes}, {answerNothing}} {
		w := &watch{Attention: Attention{Stderr: 1}}
		if err := unix.Pipe2(w.asker.out[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
		defer w.asker.close()
		w.asker.asked = true
		unix.Write(w.asker.out[1], answer)
		w.fds[pollAnswer].Revents = unix.POLLIN
		before := time.Now()
		w.signals()
		if pause := w.again.Sub(before); pause < askPause || w.fds[pollSignals].Fd != -1 {
			t.Errorf("after %v: next question in %v, descriptor %d; want none for %v", answer, pause, w.fds[pollSignals].Fd, askPause)
		}
	}
}

// A command may run for weeks, and most clients' end of stderr comes at once.
func TestWhoWasAskedIsReapedSoon(t *testing.T) {
	peer, ours := pair(t)
	peer.Close()
	w := &watch{Attention: Attention{Stderr: ours.Fd()}}
	defer w.asker.close()
	for i := range w.fds {
		w.fds[i].Fd = -1
	}
	w.fds[pollSignals] = unix.PollFd{Fd: int32(ours.Fd()), Events: unix.POLLIN}
	w.fds[pollAnswer].Events = unix.POLLIN
	asked := 0
	for until := time.Now().Add(patienceOfTests); w.Stderr > 0 || !w.again.IsZero(); {
		if time.Now().After(until) {
			t.Fatal("the end of the connection was not found out")
		}
		unix.Poll(w.fds[:], w.timeout(false))
		w.signals()
		asked = max(asked, w.asker.pid)
	}
	if asked == 0 || w.asker.pid != 0 {
		t.Errorf("process %d was asked; process %d is left", asked, w.asker.pid)
	}
}

// GNU's client ends its half of the stderr connection at once. A process for that
// alone is half a millisecond of each of its connections.
func TestEndOfTheStderrConnectionNeedsNoProcessWhereItIsKnown(t *testing.T) {
	for _, known := range []bool{true, false} {
		peer, ours := pair(t)
		peer.Close()
		ended := func() bool { return known }
		w := &watch{Process: &Process{}, Attention: Attention{Stderr: ours.Fd(), StderrEnded: ended}}
		for i := range w.fds {
			w.fds[i].Fd = -1
		}
		w.fds[pollSignals].Revents = unix.POLLIN
		w.signals()
		if asked := w.asker.pid != 0; asked == known || known != (w.Stderr == 0) {
			t.Errorf("end known %v: a process was asked %v; descriptor %d", known, asked, w.Stderr)
		}
		if w.fds[pollSignals].Fd != -1 {
			t.Error("the ended connection is polled on")
		}
		w.asker.close()
	}
}
