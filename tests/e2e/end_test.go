package e2e

import (
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// wantSession waits for the handler's end, and for PAM having been called to the session's end,
// once.
func wantSession(t testing.TB, s *lab.Listening, u lab.User, file string) {
	t.Helper()
	if state := s.Process(t, 0).Wait(t); state.ExitCode() != 0 {
		t.Errorf("handler's end: %v", state)
	}
	if got, want := read(file), record(u, "auth", "account", "open_session", "close_session"); got != want {
		t.Errorf("PAM's calls = %q; want %q", got, want)
	}
}

func TestTheSessionIsClosedWhenTheCommandEnds(t *testing.T) {
	t.Parallel()
	for command, status := range map[string]string{"exit 0": "0", "exit 7": "7", "exit 255": "255", "kill -TERM $$": "killed by signal 15 (TERM)"} {
		t.Run(command, func(t *testing.T) {
			stack, file := recorder(t)
			u := newUser(t, lab.User{})
			s := serve(t, lab.Handler{Room: lab.Room{Stack: stack}})
			wantOut(t, s.Addr, request(u, command), "")
			wantSession(t, s, u, file)
			if status[0] != 'k' {
				status = "exit status " + status
			}
			s.Log.Wait(t, ": "+status+" after ")
		})
	}
}

func TestTheSessionIsClosedWhenTheClientVanishes(t *testing.T) {
	t.Parallel()
	stack, file := recorder(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: stack}})
	session := lab.Open(t, s.Addr, u.Name, u.Password, "echo begun; cat").Started(t)
	session.Line(t)
	session.Reset(t)
	session.Stderr.Close()
	wantSession(t, s, u, file)
}

func TestTheSessionIsClosedWhenTheServerIsToldToStop(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{"the command ends": "echo $$; exec sleep 1000", "the command ignores it": `trap "" TERM; echo $$; exec sleep 1000`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stack, file := recorder(t)
			u := newUser(t, lab.User{})
			s := serve(t, lab.Handler{Room: lab.Room{Stack: stack}})
			session := lab.Open(t, s.Addr, u.Name, u.Password, command).Started(t)
			pid := session.Line(t)
			if err := syscall.Kill(s.Process(t, 0).Pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			wantSession(t, s, u, file)
			s.Log.Wait(t, "Session closed for "+u.Name+" from")
			if name == "the command ends" {
				lab.Eventually(t, "the command's end", func() bool { return !alive(pid) })
			}
			n, _ := strconv.Atoi(pid)
			syscall.Kill(n, syscall.SIGKILL)
		})
	}
}

func TestASessionThatCannotBeOpenedIsRefusedAndUndone(t *testing.T) {
	t.Parallel()
	stack, file := recorder(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: "auth optional pam_warn.so\n" + stack + "session required pam_deny.so\n"}})
	a := lab.Ask(t, s.Addr, request(u, "echo no"))
	wantMatch(t, "answer", string(a.All), "\x01[ -~]+\n")
	s.Log.Wait(t, "Refused "+u.Name+" from 127.0.0.1 port ")
	wantSession(t, s, u, file) // the modules that did open theirs close it
	s.Log.WaitLine(t, "function=[pam_sm_setcred] flags=0x4")
}

func TestTheSessionIsClosedWhenTheHomeIsMissing(t *testing.T) {
	t.Parallel()
	stack, file := recorder(t)
	u := newUser(t, lab.User{Home: "/nowhere"})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: stack}})
	wantAll(t, s.Addr, request(u, "echo no"), "\x01No remote directory.\n")
	wantSession(t, s, u, file)
}

func TestAChildInTheBackgroundKeepsTheClientWaitingUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, c := range []struct {
		name  string
		h     lab.Handler
		waits bool
	}{
		{"by default", lab.Handler{}, true},
		{"-m", lab.Handler{Args: []string{"-m"}}, false},
		{"close_on_exit", lab.Handler{Settings: "close_on_exit = true"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.h)
			session := lab.Open(t, s.Addr, u.Name, u.Password, "sleep 1000 & echo $!; exit 3").Started(t)
			child := session.Line(t)
			s.Log.Wait(t, "exit status 3 after ") // the session ends with the command, whoever is left
			s.Process(t, 0).Wait(t)
			if c.waits {
				session.Primary.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
				if _, err := session.Primary.Read(make([]byte, 1)); !os.IsTimeout(err) {
					t.Errorf("read while the child holds the connection: %v", err)
				}
				session.Primary.SetReadDeadline(time.Now().Add(lab.Patience))
				n, _ := strconv.Atoi(child)
				syscall.Kill(n, syscall.SIGKILL)
			}
			// Neither connection is half-closed from here.
			for _, conn := range []io.Reader{session.Primary, session.Stderr} {
				if b, err := io.ReadAll(conn); len(b) != 0 || err != nil {
					t.Errorf("read to the end: %q, %v", b, err)
				}
			}
			if !c.waits && !alive(child) {
				t.Error("the child was ended: this test shows nothing")
			}
			n, _ := strconv.Atoi(child)
			syscall.Kill(n, syscall.SIGKILL)
		})
	}
}

func TestWithMTheStderrConnectionEndsTooAlthoughTheClientHalfClosedIt(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Args: []string{"-m"}})
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.Addr, u.Name, u.Password, "echo begun; read x; sleep 1000 & echo $!").Started(t)
	session.Line(t)
	if err := session.Stderr.CloseWrite(); err != nil { // as GNU's client does at once
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the server sees it, or it sees it later: either must do
	session.Primary.Write([]byte("\n"))
	child := session.Line(t)
	session.Stderr.SetReadDeadline(time.Now().Add(lab.Patience))
	for _, conn := range []io.Reader{session.Primary, session.Stderr} {
		if b, err := io.ReadAll(conn); len(b) != 0 || err != nil {
			t.Errorf("read to the end: %q, %v", b, err)
		}
	}
	n, _ := strconv.Atoi(child)
	syscall.Kill(n, syscall.SIGKILL)
}

func TestAServerToldToStopBeforeTheCommandGoes(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	slow := lab.Room{Stack: "auth optional pam_exec.so quiet /bin/sleep 1000\n" + lab.Stack}
	for name, c := range map[string]struct {
		sent string
		room lab.Room
	}{
		"while it reads":           {"\x00half a na", lab.Room{}},
		"while PAM is asked":       {string(request(u, "echo no").Bytes()), slow},
		"before it is sent a byte": {"", lab.Room{}},
	} {
		s := serve(t, lab.Handler{Room: c.room})
		conn := lab.Dial(t, s.Addr)
		io.WriteString(conn, c.sent)
		p := s.Process(t, 0)
		if c.room.Stack != "" {
			lab.Eventually(t, "the module to sleep", func() bool { return read("/proc/"+itoa(p.Pid)+"/task/"+itoa(p.Pid)+"/children") != "" })
		}
		syscall.Kill(p.Pid, syscall.SIGTERM)
		p.Wait(t)
		if b, err := io.ReadAll(conn); len(b) != 0 {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestWithMTheOutputArrivesWholeBeforeTheEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Args: []string{"-m"}})
	u := newUser(t, lab.User{})
	a := lab.Open(t, s.Addr, u.Name, u.Password, "head -c 3000000 /dev/zero; head -c 100000 /dev/zero >&2").Started(t).Rest(t)
	if len(a.All) != 3000000 || len(a.Stderr) != 100000 || a.Err != nil {
		t.Errorf("%d bytes, %d on stderr, %v", len(a.All), len(a.Stderr), a.Err)
	}
}

func TestTheCommandGoesOnWhenTheClientVanishesUnlessHangupIsSet(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	command := `trap 'echo hup >>` + dir + `/$$; exit' HUP; echo $$; while [ ! -e ` + dir + `/go ]; do sleep 0.02; done; echo went on >>` + dir + `/$$`
	start := func(settings string, stderr bool) (pid string) {
		s := serve(t, lab.Handler{Settings: settings})
		session := &lab.Session{}
		if stderr {
			session = lab.Open(t, s.Addr, u.Name, u.Password, command)
			defer session.Stderr.Close()
		} else {
			session.Primary = lab.Dial(t, s.Addr)
			session.Primary.Write(request(u, command).Bytes())
		}
		pid = session.Started(t).Line(t)
		session.Reset(t)
		return pid
	}
	hangup := []string{start(`on_disconnect = "hangup"`, true), start(`on_disconnect = "hangup"`, false)}
	stay := []string{start("", true), start("", false), start(`on_disconnect = "continue"`, true)}
	for _, pid := range hangup {
		lab.Eventually(t, "the SIGHUP", func() bool { return strings.HasPrefix(read(dir+"/"+pid), "hup\n") })
	}
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, pid := range stay {
		lab.Eventually(t, "the command's own end", func() bool { return read(dir+"/"+pid) == "went on\n" })
	}
}

// A client that is killed: its kernel ends the streams, and resets nothing.
func TestAKilledClientHangsTheCommandUpAndAHalfClosedOneDoesNot(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: `on_disconnect = "hangup"`})
	killed := lab.Open(t, s.Addr, u.Name, u.Password, `trap 'echo heard' USR1; echo begun; while :; do sleep 0.05; done`).Started(t)
	killed.Line(t)
	killed.Signal(t, byte(syscall.SIGUSR1)) // once it is heard, the server watches: who has gone before is found by probes
	killed.Line(t)
	killed.Primary.Close()
	killed.Stderr.Close()
	s.Log.Wait(t, "killed by signal 1 (HUP) after ")

	// As GNU's client does: its half of the stderr connection at once, the other when its input
	// has ended.
	alive := lab.Open(t, s.Addr, u.Name, u.Password, `trap 'exit 8' HUP; echo begun; cat; sleep 1; echo out`)
	alive.Stderr.CloseWrite()
	alive.Started(t).Line(t)
	if a := alive.Rest(t); string(a.All) != "out\n" {
		t.Errorf("%v", a)
	}
}

// With one connection, only a probe tells a client that has gone from one that has sent all its
// input.
func TestWithOneConnectionAKilledClientIsFoundByProbes(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: `on_disconnect = "hangup"`})
	const command = "echo begun; exec sleep 1000"
	c := lab.Dial(t, s.Addr)
	c.Write(request(u, command).Bytes())
	killed := (&lab.Session{Primary: c}).Started(t)
	killed.Line(t)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel answers probes of a closed connection for a minute: here, for a second.
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_LINGER2, 1) })
	c.Close()
	s.Log.Wait(t, "killed by signal 1 (HUP) after ")
}
