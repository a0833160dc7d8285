package e2e

import (
	"io"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestTheGraceTimeCoversEveryFieldAndPAMItself(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	whole := string(request(u, "echo no").Bytes())
	slow := lab.Room{Stack: "auth required pam_exec.so quiet /bin/sleep 1000\n" + lab.Stack}
	slowSession := lab.Room{Stack: lab.Stack + "session required pam_exec.so quiet /bin/sleep 1000\n"}
	for _, c := range []struct {
		name, sent string
		room       lab.Room
	}{
		{"nothing sent", "", lab.Room{}},
		{"half a port", "51", lab.Room{}},
		{"a port", "\x00", lab.Room{}},
		{"half a name", "\x00" + u.Name[:2], lab.Room{}},
		{"a name", "\x00" + u.Name + "\x00", lab.Room{}},
		{"half a password", "\x00" + u.Name + "\x00Sec", lab.Room{}},
		{"a password", "\x00" + u.Name + "\x00" + u.Password + "\x00", lab.Room{}},
		{"half a command", whole[:len(whole)-2], lab.Room{}},
		{"a module that sleeps", whole, slow},
		{"a session module that sleeps", whole, slowSession},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, lab.Handler{Settings: "grace = 1", Room: c.room})
			begin := time.Now()
			conn := lab.Dial(t, s.Addr)
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(conn)
			if len(all) != 0 || err != nil {
				t.Errorf("answer %q, %v; want silence", all, err)
			}
			if took := time.Since(begin); took < 900*time.Millisecond {
				t.Errorf("closed after %v", took)
			}
			s.Process(t, 0).Wait(t)
			lab.Eventually(t, "a line in the log", func() bool { return len(s.Log.Records()) > 0 })
			r := s.Log.Records()[len(s.Log.Records())-1]
			wantMatch(t, "message", r["MESSAGE"], "(Protocol error|Failed password for .*|Refused .*) from 127.0.0.1 port [0-9]+: .*")
		})
	}
}

func TestTheGraceTimeIsNotRenewedByWhatArrives(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Settings: "grace = 1"})
	begin := time.Now() // before the server's own beginning
	conn := lab.Dial(t, s.Addr)
	io.WriteString(conn, "\x00")
	done := make(chan struct{})
	go func() { // a name that goes on: 255 bytes would take 25 seconds
		defer close(done)
		for range 255 {
			if _, err := io.WriteString(conn, "u"); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	all, _ := io.ReadAll(conn)
	if took := time.Since(begin); len(all) != 0 || took < 900*time.Millisecond || took > lab.Patience {
		t.Errorf("answer %q, closed after %v", all, took)
	}
	conn.Close()
	<-done
}

func TestTheGraceTimeEndsWhereTheCommandBegins(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "grace = 2"})
	wantOut(t, s.Addr, request(u, "sleep 3; echo done"), "done\n")
}
