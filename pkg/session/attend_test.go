package session

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAttendTellsHowTheCommandEnded(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   Status
	}{
		{"exit 0", Status{}},
		{"exit 255", Status{Exit: 255}},
		{"kill -TERM $$", Status{Exit: -1, Signal: unix.SIGTERM}},
		{"kill -KILL $$", Status{Exit: -1, Signal: unix.SIGKILL}},
		{"sleep 1000 & exit 4", Status{Exit: 4}}, // a child that stays is nobody's business here
	} {
		r, err := begin(t, sh(tt.script))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.attend(t); got != tt.want {
			t.Errorf("%s: %+v; want %+v", tt.script, got, tt.want)
		}
		if _, err := unix.FcntlInt(uintptr(r.pidfd), unix.F_GETFD, 0); err != unix.EBADF {
			t.Errorf("%s: the pidfd is still open", tt.script)
		}
	}
}

func TestBytesOfTheStderrConnectionAreSignals(t *testing.T) {
	r, err := begin(t, sh(`trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'exit 9' TERM; echo ready; while :; do read x; done`))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.line(t); got != "\x00ready" {
		t.Fatalf("%q", got)
	}
	peer, ours := pair(t)
	ended := make(chan Status)
	go func() {
		status, err := r.attendTo(Attention{Stop: noStop(t), Stderr: ours.Fd()})
		if err != nil {
			t.Error(err)
		}
		ended <- status
	}()
	// 0 and what is no signal's number are ignored; several come in one read.
	unix.Write(peer.Fd(), []byte{0, 65, 255, byte(unix.SIGUSR1)})
	if got := r.line(t); got != "usr1" {
		t.Errorf("%q; want usr1", got)
	}
	unix.Write(peer.Fd(), []byte{byte(unix.SIGHUP)})
	if got := r.line(t); got != "hup" {
		t.Errorf("%q; want hup", got)
	}
	unix.Write(peer.Fd(), []byte{byte(unix.SIGTERM)})
	if got := <-ended; got != (Status{Exit: 9}) {
		t.Errorf("status %+v; want 9", got)
	}
}

func TestSignalsGoToTheWholeGroup(t *testing.T) {
	r, err := begin(t, sh(`sh -c 'trap "echo child; exit 0" USR1; echo ready; while :; do sleep 0.01; done' & trap : USR1; wait; wait; exit 5`))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.line(t); got != "\x00ready" {
		t.Fatalf("%q", got)
	}
	r.kill(unix.SIGUSR1)
	if got := r.line(t); got != "child" {
		t.Errorf("%q; want child", got)
	}
	if status := r.attend(t); status != (Status{Exit: 5}) {
		t.Errorf("status %+v; want 5: the shell has a trap", status)
	}
}

func TestEndOfTheStderrConnectionIsNotTheEnd(t *testing.T) {
	r, err := begin(t, sh(`echo ready; read x; exit 6`))
	if err != nil {
		t.Fatal(err)
	}
	r.line(t)
	peer, ours := pair(t)
	unix.Write(peer.Fd(), []byte{0})
	peer.Close()
	written := make(chan bool)
	go func() {
		r.waitUntilItPolls()
		unix.Write(r.primary.Fd(), []byte("\n"))
		close(written)
	}()
	status, err := r.attendTo(Attention{Stop: noStop(t), Stderr: ours.Fd()})
	<-written
	if status != (Status{Exit: 6}) || err != nil {
		t.Errorf("Attend = %+v, %v; want 6", status, err)
	}
}

// waitUntilItPolls gives Attend the time to have seen what there is; with too
// little of it a test passes that could have failed, never the reverse.
func (r *run) waitUntilItPolls() { time.Sleep(50 * time.Millisecond) }

func TestBytesThatAreNoSignalsAreIgnored(t *testing.T) {
	for _, tt := range []struct {
		bytes string
		want  []syscall.Signal
	}{
		{"\x01", []syscall.Signal{1}},
		{"\x00\x41\x80\xff", nil},
		{"\x40\x00\x0f", []syscall.Signal{64, 15}},
	} {
		var got []syscall.Signal
		deliver([]byte(tt.bytes), func(s syscall.Signal) { got = append(got, s) })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: signals %v; want %v", tt.bytes, got, tt.want)
		}
	}
}

// answers asks for what is there, and returns it.
func answers(t *testing.T, a *asker, fd int) (int, string) {
	t.Helper()
	for until := time.Now().Add(patienceOfTests); !a.ask(askSignals, fd); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("no question could be put")
		}
	}
	fds := []unix.PollFd{{Fd: a.fd(), Events: unix.POLLIN}}
	if n, _ := unix.Poll(fds, int(patienceOfTests/time.Millisecond)); n != 1 {
		t.Fatal("no answer")
	}
	kind, bytes, err := a.answer()
	if err != nil {
		t.Fatal(err)
	}
	return kind, string(bytes)
}

// The command holds the same socket as its standard error, and may have read
// the byte that woke this process.
func TestAskerReadsWhatIsThereAndNeverWaits(t *testing.T) {
	var a asker
	defer a.close()
	peer, ours := pair(t)
	if kind, _ := answers(t, &a, ours.Fd()); kind == answerEnd || kind == answerBytes {
		t.Errorf("nothing is there: answer %d", kind)
	}
	unix.Write(peer.Fd(), []byte(strings.Repeat("x", 100)))
	for _, want := range []int{64, 36} {
		if kind, text := answers(t, &a, ours.Fd()); kind != answerBytes || text != strings.Repeat("x", want) {
			t.Errorf("answer %d, %q; want %d bytes", kind, text, want)
		}
	}
	peer.Close()
	if kind, _ := answers(t, &a, ours.Fd()); kind != answerEnd {
		t.Errorf("at the end: answer %d", kind)
	}
}

func TestLossOfThePeerHangsTheCommandUp(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   Status
	}{
		{"echo ready; sleep 1000", Status{Exit: -1, Signal: unix.SIGHUP}},
		{"trap 'exit 8' HUP; echo ready; while :; do sleep 0.01; done", Status{Exit: 8}},
	} {
		r, err := begin(t, sh(tt.script))
		if err != nil {
			t.Fatal(err)
		}
		r.line(t)
		peer, ours := pair(t)
		peer.Close()
		status, err := r.attendTo(Attention{Stop: noStop(t), Primary: ours.Fd(), HangUp: true})
		if status != tt.want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", tt.script, status, err, tt.want)
		}
	}
}

func TestHalfClosedPeerIsNotLost(t *testing.T) {
	r, err := begin(t, sh("read x; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	peer, ours := pair(t)
	unix.Shutdown(peer.Fd(), unix.SHUT_WR)
	unix.Write(peer.Fd(), []byte("x"))
	unix.Shutdown(r.primary.Fd(), unix.SHUT_WR)
	status, err := r.attendTo(Attention{Stop: noStop(t), Primary: ours.Fd(), HangUp: true})
	if status != (Status{Exit: 3}) || err != nil {
		t.Errorf("Attend = %+v, %v; want 3", status, err)
	}
}

func TestRequestToStopIsPassedOnAndThenWaitedForABit(t *testing.T) {
	for _, tt := range []struct {
		script string
		signal byte
		want   Status
	}{
		{"echo ready; sleep 1000", 15, Status{Exit: -1, Signal: unix.SIGTERM}},
		{"trap 'exit 6' INT; echo ready; while :; do sleep 0.01; done", 2, Status{Exit: 6}},
		{"trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done", 15, Status{Exit: 5}},
		{"trap '' TERM; echo ready; while :; do sleep 0.01; done", 15, Status{Exit: -1, Stopped: true}},
	} {
		r, err := begin(t, sh(tt.script))
		if err != nil {
			t.Fatal(err)
		}
		r.line(t)
		s, signals := stop(t)
		unix.Write(signals, []byte{tt.signal, tt.signal})
		began := time.Now()
		status, err := r.attendTo(Attention{Stop: s})
		if took := time.Since(began); status != tt.want || err != nil || took > patienceOfTests ||
			tt.want.Stopped && took < patience-100*time.Millisecond {
			t.Errorf("%s: %+v, %v after %v; want %+v", tt.script, status, err, took, tt.want)
		}
	}
}

func TestStopCollectsTheSignalsOfThisProcess(t *testing.T) {
	again(t, "stop", `trap '' HUP; exec "$0"`, nil)
}

// stopAlone also has SIGHUP ignored from its start, as under nohup.
func stopAlone() error {
	s, err := CatchStop()
	if err != nil {
		return err
	}
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
		if err := unix.Kill(unix.Getpid(), sig); err != nil {
			return err
		}
		fds := []unix.PollFd{{Fd: int32(s.Fd()), Events: unix.POLLIN}}
		for n := 0; n == 0; {
			if n, err = unix.Poll(fds, int(patienceOfTests/time.Millisecond)); err == unix.EINTR {
				n = 0
			} else if err != nil || n == 0 {
				return errWrong
			}
		}
		if got := s.signal(); got != sig {
			return errWrong
		}
	}
	if got := s.signal(); got != unix.SIGTERM { // nothing there: never blocks
		return errWrong
	}
	// More requests than the pipe holds are no reason to hang.
	if _, err := unix.FcntlInt(uintptr(s.Fd()), unix.F_SETPIPE_SZ, 4096); err != nil {
		return err
	}
	for range 3 * 4096 {
		if err := unix.Kill(unix.Getpid(), unix.SIGTERM); err != nil {
			return err
		}
	}
	return nil
}
