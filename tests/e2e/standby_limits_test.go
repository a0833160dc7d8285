package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

func TestASourceIsLimitedAndOthersAreNot(t *testing.T) {
	t.Parallel()
	for _, mode := range [][]string{{"-standby", "2"}, {"-debug"}} {
		t.Run(mode[0], func(t *testing.T) {
			t.Parallel()
			s := stand(t, lab.Room{}, lab.Rexecd(t), nil, append(mode, "-max-per-source", "2")...)
			u := newUser(t, lab.User{})
			one := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
			two := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
			wantAll(t, s.addr, request(u, "echo third"), tooManyOpen)
			if got := askFrom(t, "127.0.0.9", s.addr, request(u, "echo other")); got != "\x00other\n" {
				t.Errorf("from another source: %q", got)
			}
			one.Reset(t)
			two.Reset(t)
			lab.Eventually(t, "the source may come again", func() bool {
				return string(lab.Ask(t, s.addr, request(u, "echo again")).All) == "\x00again\n"
			})
		})
	}
}

// Of the connections above its limit it closes none; and it loses nothing but those.
func TestASourceThatKeepsConnectingDelaysNobody(t *testing.T) {
	t.Parallel()
	for _, mode := range [][]string{{"-standby", "2"}, {"-debug"}} {
		t.Run(mode[0], func(t *testing.T) {
			t.Parallel()
			const most = 3  // sessions at once, and so connections that are being refused
			const share = 2 // of one source
			s := stand(t, lab.Room{}, lab.Rexecd(t), nil, append(mode, "-max", itoa(most), "-max-per-source", "1")...)
			u := newUser(t, lab.User{})
			session := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
			handler := s.handlerOf(session.Primary)
			if handler == "" {
				t.Fatal("no handler has the session")
			}
			for range share {
				s.refuseForEver(t)
			}
			for i := range most {
				// They stand before the other one's in the queue.
				for range 5 {
					lab.Dial(t, s.addr)
				}
				want := "\x00other " + itoa(i) + "\n"
				if got := askFrom(t, "127.0.0."+itoa(9+i), s.addr, request(u, "echo other "+itoa(i))); got != want {
					t.Errorf("from another source: %q; want %q", got, want)
				}
			}
			if a := lab.Ask(t, s.addr, request(u, "echo more")); len(a.All) != 0 {
				t.Errorf("while %d are being refused: %v", share, a)
			}
			session.Reset(t)
			lab.Eventually(t, "the session has ended", func() bool { return read("/proc/"+handler+"/status") == "" })
			wantOut(t, s.addr, request(u, "echo again"), "again\n")
		})
	}
}

// refuseForEver has a connection refused and stops its handler, so that the refusal lasts for as
// long as the test does.
func (s *standing) refuseForEver(t testing.TB) {
	t.Helper()
	lab.Eventually(t, "a handler that refuses is stopped", func() bool {
		c := lab.Dial(t, s.addr)
		line, err := io.ReadAll(c)
		pid := s.handlerOf(c)
		switch {
		case len(line) > 0 && (string(line) != tooManyOpen || err != nil):
			t.Fatalf("one too many: %q, %v", line, err)
		case pid == "":
			return false // it was faster
		}
		lab.Run(t, "kill", "-STOP", pid)
		lab.Eventually(t, "it has stopped", func() bool { return !alive(pid) || strings.Contains(read("/proc/"+pid+"/status"), "State:\tT") })
		return s.handlerOf(c) == pid
	})
}

func TestSessionsBeyondTheLimitWaitTheirTurn(t *testing.T) {
	t.Parallel()
	for _, mode := range [][]string{{"-standby", "1"}, {"-debug"}} {
		t.Run(mode[0], func(t *testing.T) {
			t.Parallel()
			s := stand(t, lab.Room{}, lab.Rexecd(t), nil, append(mode, "-max", "1")...)
			u := newUser(t, lab.User{})
			first := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
			mark := filepath.Join(openDir(t), "second")
			second := make(chan string)
			go func() { second <- string(lab.Ask(t, s.addr, request(u, "echo > "+mark)).All) }()
			// The first is served all the time; the second has not begun when it ends.
			first.Signal(t, 0)
			if _, err := os.Stat(mark); err == nil {
				t.Error("two sessions at once")
			}
			first.Reset(t)
			if got := <-second; got != "\x00" {
				t.Errorf("the session that waited: %q", got)
			}
			if _, err := os.Stat(mark); err != nil {
				t.Errorf("the session that waited: %v", err)
			}
		})
	}
}

// It has been asked to end, and has accepted a connection before it has read that.
func TestLimitsHoldWhileHandlersAreReplaced(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "1", "-max-per-source", "1", "-max", "2")
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
	waiting := s.wantWaiting(t, 1)[0]
	lab.Eventually(t, "the handler waits", func() bool { return strings.Contains(read("/proc/"+waiting+"/wchan"), "poll") })
	lab.Run(t, "kill", "-STOP", waiting)
	lab.Eventually(t, "it has stopped", func() bool { return strings.Contains(read("/proc/"+waiting+"/status"), "State:\tT") })
	c := lab.Dial(t, s.addr)
	s.cmd.Process.Signal(syscall.SIGHUP)
	lab.Eventually(t, "it reloads", func() bool { return strings.Contains(s.out.String(), "reloading: ") })
	lab.Run(t, "kill", "-CONT", waiting)
	c.Write(request(u, "echo served").Bytes())
	if answer, _ := io.ReadAll(c); string(answer) != tooManyOpen {
		t.Errorf("one too many: %q", answer)
	}
	session.Reset(t)
}
