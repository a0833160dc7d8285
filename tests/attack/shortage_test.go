package attack

import (
	"os"
	"testing"

	"rexecd/tests/lab"
)

// Nothing that the server needs is written to a disk: with every filesystem full it serves as
// before.
func TestFullDisksStopNobody(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	lay := `for d in /var/log /srv /run/in.rexecd; do mkdir -p -m 700 $d; mount -t tmpfs -o size=4k,mode=700 x $d; dd if=/dev/zero of=$d/x bs=4096 count=1 2>/dev/null; done; exec "$@"`
	s := serve(t, lab.Handler{
		Settings: "[penalties]\n",
		Before:   []string{"unshare", "-m", "sh", "-c", lay, "sh"},
		Room:     lab.Room{Stack: lab.Stack + "session optional pam_lastlog.so\n"},
	})
	want(t, s.Addr, request(u, "echo x >/srv/y; echo in"), "\x00sh: 1: cannot create /srv/y: Permission denied\nin\n")
	want(t, s.Addr, lab.Request{User: u.Name, Password: "x", Command: "id"}, loginIncorrect)
	served(t, s.Addr, u)
}

// journald may be stopped, restarted or gone while a command runs: its end is the same.
func TestALogThatGoesAwayDuringACommandChangesNothing(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	journal, syslog := openDir(t), openDir(t)
	mute(t, journal+"/socket") // there, and then not
	mute(t, syslog+"/log")
	lay := "mount --bind " + journal + " /run/systemd/journal; mount --bind " + syslog + `/log /dev/log; exec "$@"`
	s := serve(t, lab.Handler{Before: []string{"unshare", "-m", "sh", "-c", lay, "sh"}, Room: lab.Room{Stack: "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_exec.so quiet " + write(t, dir+"/note", "#!/bin/sh\necho >>"+dir+"/$PAM_TYPE\n") + "\n"}})
	session := lab.Open(t, s.Addr, u.Name, u.Password, "echo ready; read x; echo $x").Started(t)
	session.Line(t)
	if err := os.Remove(journal + "/socket"); err != nil {
		t.Fatal(err)
	}
	session.Primary.Write([]byte("on\n"))
	if a := session.Rest(t); string(a.All) != "on\n" || a.Err != nil {
		t.Errorf("%v", a)
	}
	if end := s.Process(t, 0).Wait(t); end.ExitCode() != 0 || read(dir+"/close_session") != "\n" {
		t.Errorf("handler's end %v, sessions closed %q", end, read(dir+"/close_session"))
	}
}

// Descriptor 2 is the peer until /dev/null takes its place: where that cannot be opened nothing
// is said at all.
func TestWithoutDevNullNothingIsSaidToThePeer(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Before: []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /dev; exec "$@"`, "sh"}})
	if a := lab.Ask(t, s.Addr, lab.Request{User: "x", Password: "x", Command: "id"}); len(a.All) > 0 {
		t.Errorf("%v; want silence", a)
	}
	if end := s.Process(t, 0).Wait(t); end.Success() {
		t.Errorf("handler's end: %v", end)
	}
}
