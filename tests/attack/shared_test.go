package attack

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// The command holds the same sockets as the server that waits for it, and can set what it likes
// on them.

func TestACommandCannotHaveTheServerWaitForThePeer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	sockets := compile(t, "sockets.c")
	s := serve(t, lab.Handler{Room: lab.Room{Stack: sessionStack(t, dir)}})
	c := lab.Dial(t, s.Addr) // reads nothing, and stays
	c.Write(request(u, sockets+" linger").Bytes())
	s.Log.Wait(t, "Session closed for "+u.Name)
	if end := s.Process(t, 0).Wait(t); end.ExitCode() != 0 {
		t.Errorf("handler's end: %v", end)
	}
	if got := read(dir + "/close_session"); got != u.Name+"\n" {
		t.Errorf("sessions closed: %q", got)
	}
}

// The server's own time, while the command sleeps for four seconds, is what the login takes.
func TestTheServerSleepsWhileTheCommandDoes(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	sockets := compile(t, "sockets.c")
	s := serve(t, lab.Handler{})
	for i, c := range []struct{ name, command string }{
		{"errors on the stderr connection", sockets + " errors && exec sleep 4"},
		{"a flood of signals", "trap '' URG; exec sleep 4"},
	} {
		session := lab.Open(t, s.Addr, u.Name, u.Password, c.command).Started(t)
		if i == 1 {
			go func() {
				for many := bytes.Repeat([]byte{byte(syscall.SIGURG)}, 1000); ; {
					if _, err := session.Stderr.Write(many); err != nil {
						return
					}
				}
			}()
		}
		p := s.Process(t, i)
		end := p.Wait(t)
		if spent := end.UserTime() + end.SystemTime(); spent > time.Second || end.ExitCode() != 0 {
			t.Errorf("%s: the handler used %v, %v", c.name, spent, end)
		}
		session.Primary.Close()
		session.Stderr.Close()
	}
}

// A home directory can be a file system of the user's own. What waits for it cannot be killed.
func TestAHomeThatDoesNotAnswerEndsAtTheGraceTime(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	mount(t, u, "deaf-fs.c", "/home/"+u.Name)
	s := serve(t, lab.Handler{Settings: "grace = 2\n"})
	if a := lab.Ask(t, s.Addr, request(u, "echo in")); len(a.All) != 0 {
		t.Errorf("%v; want silence", a)
	}
	if end := s.Process(t, 0).Wait(t); end.ExitCode() != 1 {
		t.Errorf("handler's end: %v; want exit status 1", end)
	}
	s.Log.Wait(t, "grace time of 2s over in the start of the shell, whose process cannot be killed")
	served(t, s.Addr, newUser(t, lab.User{}))
}
