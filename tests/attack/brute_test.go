package attack

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// Large amounts: a busy machine must not forget failures faster than the test makes them.
const harsh = "[penalties]\nauthfail = 200\nnoauth = 200\nprotocol = 200\ngrace_exceeded = 200\nmin = 300\nmax = 600\n"

func TestASourceThatGuessesIsToldToTryLater(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1"})
	six := serve(t, lab.Handler{Settings: harsh, Address: "2001:db8::1"})
	for _, c := range []struct{ name, source, same, other, addr string }{
		{"IPv4", "192.0.2.10", "192.0.2.10", "192.0.2.11", s.Addr},
		{"IPv6", "2001:db8:1::a", "2001:db8:1::ffff:ffff:1", "2001:db8:1:1::a", six.Addr},
	} {
		t.Run(c.name, func(t *testing.T) {
			good, bad := request(u, "echo in"), lab.Request{User: u.Name, Password: "x", Command: "id"}
			for range 2 {
				if got := ask(t, c.source, c.addr, bad); got != loginIncorrect {
					t.Fatalf("a wrong password: %q", got)
				}
			}
			// 400 seconds are outstanding, 300 are allowed. The right password gets nobody in now.
			if got := ask(t, c.same, c.addr, good); got != tooManyFailed {
				t.Errorf("the same source: %q", got)
			}
			if got := ask(t, c.other, c.addr, good); got != "\x00in\n" {
				t.Errorf("another source: %q", got)
			}
		})
	}
	r := s.Log.Wait(t, "Refused connection from 192.0.2.10 port ")
	if !strings.Contains(r["MESSAGE"], "penalty of 192.0.2.10/32 for authfail") || r["REXEC_OUTCOME"] != "penalised" {
		t.Errorf("record %v", r)
	}
}

// Clients that want a stderr connection wait for it in accept() before they look at anything else.
func TestARefusedSourceHearsItWhereItsClientListens(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1"})
	const source = "192.0.2.12"
	for range 2 {
		ask(t, source, s.Addr, lab.Request{User: "nosuch", Password: "x"})
	}
	l, err := net.Listen("tcp", source+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, what := range []string{"a stderr port", "none", "not a port", "nothing"} {
		c := from(t, source, s.Addr)
		defer c.Close()
		switch what {
		case "a stderr port":
			_, port, _ := net.SplitHostPort(l.Addr().String())
			c.Write([]byte(port + "\x00"))
			stderr, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(stderr); len(rest) > 0 || err != nil {
				t.Errorf("the stderr connection got %q, %v", rest, err)
			}
		case "none":
			c.Write([]byte("0\x00"))
		case "not a port":
			c.Write([]byte("GET / HTTP/1.0\r\n"))
		}
		if got, err := io.ReadAll(c); string(got) != tooManyFailed || err != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestEveryKindOfFailureCountsAndTheAdministratorCanClear(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1"})
	hasty := serve(t, lab.Handler{Settings: "grace = 1\n" + harsh, Address: "192.0.2.1"})
	kinds := map[string]func(source string){
		"noauth":         func(source string) { from(t, source, s.Addr).Close() },
		"protocol":       func(source string) { from(t, source, s.Addr).Write([]byte("GET / HTTP/1.0\r\n\r\n")) },
		"grace_exceeded": func(source string) { io.ReadAll(from(t, source, hasty.Addr)) },
		"authfail":       func(source string) { ask(t, source, s.Addr, lab.Request{User: "root", Password: "x"}) },
	}
	n := 20
	source := map[string]string{}
	for kind, fail := range kinds {
		n++
		source[kind] = fmt.Sprintf("192.0.2.%d", n)
		for range 2 {
			fail(source[kind])
		}
	}
	for kind, source := range source {
		lab.Eventually(t, "the penalty for "+kind, func() bool {
			return strings.Contains(penalties(t), source+"/32")
		})
		allGone(t, s)
		allGone(t, hasty)
		if got := ask(t, source, s.Addr, request(u, "echo in")); got != tooManyFailed {
			t.Errorf("%s: %q", kind, got)
		}
		for line := range strings.Lines(penalties(t)) {
			if f := strings.Fields(line); f[0] == source+"/32" && (f[1] != "refused" || f[3] != kind) {
				t.Errorf("%s is listed as %q", kind, line)
			}
		}
		penalties(t, "clear", source)
		if got := ask(t, source, s.Addr, request(u, "echo in")); got != "\x00in\n" {
			t.Errorf("%s, cleared: %q", kind, got)
		}
	}
}

// penalties runs rexecd -penalties.
func penalties(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(lab.Rexecd(t), append([]string{"-penalties"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("rexecd -penalties %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestAUserWhoProvedThePasswordIsNotPenalised(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	expired := newUser(t, lab.User{})
	lab.Run(t, "chage", "-E", "1", expired.Name)
	s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1"})
	for range 4 {
		if got := ask(t, "192.0.2.30", s.Addr, request(expired, "id")); got != "\x01Account expired.\n" {
			t.Fatalf("%q", got)
		}
	}
	if got := ask(t, "192.0.2.30", s.Addr, request(u, "echo in")); got != "\x00in\n" {
		t.Errorf("%q", got)
	}
}

// How long PAM takes tells who exists. Whoever sends the request so late that the grace time ends
// it meanwhile pays for it as for any refusal, whoever exists; and it is a failed login for those
// who read the log.
func TestALateRequestCostsTheSameWhoeverExists(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	// A module that does not return, for one name of the two.
	stack := "auth [success=1 default=ignore] pam_succeed_if.so quiet user != " + u.Name + "\nauth optional pam_exec.so quiet /bin/sleep 1000\n" + lab.Stack
	s := serve(t, lab.Handler{Settings: "grace = 6\n" + harsh, Address: "192.0.2.1", Room: lab.Room{Stack: stack}})
	for source, name := range map[string]string{"192.0.2.32": u.Name, "192.0.2.33": "nosuch"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ends sync.WaitGroup
			for range 2 {
				c := from(t, source, s.Addr)
				bytes := lab.Request{User: name, Password: "wrong", Command: "true"}.Bytes()
				last := len(bytes) - 1
				c.Write(bytes[:last])
				ends.Add(1)
				go func() {
					defer ends.Done()
					time.Sleep(5 * time.Second) // of the six: what is tested is a peer that waits
					c.Write(bytes[last:])
					io.ReadAll(c) // "Login incorrect." for the one that PAM is done with in time
				}()
			}
			ends.Wait()
			if got := ask(t, source, s.Addr, lab.Request{User: "x", Password: "x"}); got != tooManyFailed {
				t.Errorf("afterwards: %q", got)
			}
			if n := strings.Count(s.Log.Raw(), "MESSAGE=Failed password for"); n < 2 {
				t.Errorf("%d records of failed logins: %q", n, s.Log.Raw())
			}
		})
	}
}

// Other connections of the peer can see when a penalty begins: half a second after the request,
// whenever PAM was done, and well before the answer, since every guess until then is free.
func TestAPenaltyBeginsBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1"})
	wrong := lab.Request{User: u.Name, Password: "x", Command: "id"}
	answers := make(chan string, 2)
	for range 2 {
		c := from(t, "192.0.2.34", s.Addr)
		c.Write(wrong.Bytes())
		go func() {
			got, _ := io.ReadAll(c)
			answers <- string(got)
		}()
	}
	lab.Eventually(t, "the penalty", func() bool { return strings.Contains(penalties(t), "192.0.2.34/32") })
	select {
	case got := <-answers:
		t.Errorf("answered %q before the penalty began", got)
	default:
	}
	for range 2 {
		if got := <-answers; got != loginIncorrect {
			t.Errorf("%q", got)
		}
	}
	if got := ask(t, "192.0.2.34", s.Addr, request(u, "echo in")); got != tooManyFailed {
		t.Errorf("after the answer: %q", got)
	}
}

// What a refusal costs must not tell what its text does not: a right password for an account that
// may not come in here looks like a wrong one, to the penalties and to fail2ban as well.
func TestARightPasswordThatIsRefusedCostsAsMuchAsAWrongOne(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1", Room: lab.Room{Stack: lab.Stack + "account required pam_deny.so\n"}})
	for source, password := range map[string]string{"192.0.2.36": u.Password, "192.0.2.37": "wrong"} {
		r := lab.Request{User: u.Name, Password: password, Command: "id"}
		for i, want := range []string{loginIncorrect, loginIncorrect, tooManyFailed} {
			if got := ask(t, source, s.Addr, r); got != want {
				t.Errorf("password %q, guess %d: %q; want %q", password, i+1, got, want)
			}
		}
	}
}

// Whoever asks for a stderr connection where the setting permits none speaks the protocol: a
// mainframe's job does so.
func TestAskingForAStderrConnectionWhereThereIsNoneIsNoOffence(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "stderr = \"no\"\n[penalties]\nprotocol = 500\nnoauth = 0\n", Address: "192.0.2.1"})
	for range 2 {
		if got := ask(t, "192.0.2.31", s.Addr, lab.Request{Port: "40000"}); got != "\x01stderr connections are not permitted here\n" {
			t.Errorf("%q", got)
		}
	}
	if got := ask(t, "192.0.2.31", s.Addr, request(u, "echo in")); got != "\x00in\n" {
		t.Errorf("%q", got)
	}
}

func TestExemptSourcesAreNotPenalised(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: harsh + "exempt = [\"192.0.2.40/30\"]\n", Address: "192.0.2.1"})
	for range 4 {
		ask(t, "192.0.2.41", s.Addr, lab.Request{User: u.Name, Password: "x"})
	}
	if got := ask(t, "192.0.2.41", s.Addr, request(u, "echo in")); got != "\x00in\n" {
		t.Errorf("%q", got)
	}
}

// Connections opened at the same time all pass the first check. What they guess must still not be
// told to them once the penalty has begun: neither to those that send their password later nor to
// those whose password is being checked.
func TestConnectionsOpenedInParallelAreNoWayAround(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	dir := openDir(t)
	// The check of one name takes until the test lets it go on.
	wait := write(t, dir+"/wait", "#!/bin/sh\ntouch "+dir+"/checking\nwhile ! [ -e "+dir+"/go ]; do sleep .02; done\n")
	s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1", Room: lab.Room{Stack: "auth [success=1 default=ignore] pam_succeed_if.so quiet user != " + u.Name + "\nauth optional pam_exec.so quiet " + wait + "\n" + lab.Stack}})
	const source = "192.0.2.50"
	good := request(u, "echo in").Bytes()
	late, checked := from(t, source, s.Addr), from(t, source, s.Addr)
	late.Write(good[:len(good)-1])
	checked.Write(good)
	lab.Eventually(t, "the module", func() bool { return exists(dir + "/checking") })
	for range 2 {
		ask(t, source, s.Addr, lab.Request{User: "nosuch", Password: "x"})
	}
	late.Write(good[len(good)-1:])
	if got, _ := io.ReadAll(late); string(got) != tooManyFailed {
		t.Errorf("a password sent after the penalty began: %q", got)
	}
	write(t, dir+"/go", "")
	if got, _ := io.ReadAll(checked); string(got) != loginIncorrect {
		t.Errorf("a right password whose check ended after the penalty began: %q", got)
	}
	s.Log.Wait(t, "Failed password for "+u.Name+" from 192.0.2.50 port ")
}

func TestWithoutAUsableStateEverybodyIsServed(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	for name, lay := range map[string]string{
		"the folder is everybody's":      "mkdir -p -m 700 /run/in.rexecd; mount -t tmpfs -o mode=1777 x /run/in.rexecd",
		"the file is a link":             "mkdir -p -m 700 /run/in.rexecd; mount -t tmpfs -o mode=700 x /run/in.rexecd; ln -s /etc/shadow /run/in.rexecd/penalties",
		"the folder can only be read":    "mkdir -p -m 700 /run/in.rexecd; mount -t tmpfs -o mode=700,ro x /run/in.rexecd",
		"the filesystem is full":         "mkdir -p -m 700 /run/in.rexecd; mount -t tmpfs -o mode=700,size=4k x /run/in.rexecd; dd if=/dev/zero of=/run/in.rexecd/x bs=4096 count=1 2>/dev/null",
		"the table is full of garbage":   "mkdir -p -m 700 /run/in.rexecd; mount -t tmpfs -o mode=700 x /run/in.rexecd; umask 77; head -c 2000000 /dev/urandom >/run/in.rexecd/penalties",
		"the table is far, far too long": "mkdir -p -m 700 /run/in.rexecd; mount -t tmpfs -o mode=700 x /run/in.rexecd; umask 77; truncate -s 1T /run/in.rexecd/penalties",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := read("/etc/shadow")
			s := serve(t, lab.Handler{Settings: harsh, Address: "192.0.2.1", Before: []string{"unshare", "-m", "sh", "-c", lay + `; umask 22; exec "$@"`, "sh"}})
			for range 3 { // each in a mount namespace of its own, so that nothing adds up
				if got := ask(t, "192.0.2.60", s.Addr, lab.Request{User: u.Name, Password: "x"}); got != loginIncorrect {
					t.Errorf("a wrong password: %q", got)
				}
			}
			if got := ask(t, "192.0.2.60", s.Addr, request(u, "echo in")); got != "\x00in\n" {
				t.Errorf("the right password: %q", got)
			}
			allGone(t, s)
			complaints := strings.Count(s.Log.Raw(), "MESSAGE=Internal error from 192.0.2.60 port")
			if strings.Contains(name, "table") && complaints != 0 || !strings.Contains(name, "table") && (complaints < 3 || complaints > 4) {
				t.Errorf("%d lines in the log say so: %q", complaints, s.Log.Raw())
			}
			if now := read("/etc/shadow"); !strings.HasPrefix(now, "root:") || len(now) < len(before) {
				t.Error("/etc/shadow was overwritten through the link")
			}
		})
	}
}
