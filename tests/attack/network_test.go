package attack

import (
	"crypto/sha256"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// The kernel of the machines that these tests run on may lack sch_netem ("Error: Specified qdisc
// kind is unknown."), so that packets are lost by nftables, which every kernel with Debian's
// defaults has: at random, or all of them. Delay: delay_test.go.

// open starts a command from an address, with both connections.
func open(t testing.TB, source, to string, u lab.User, command string) *lab.Session {
	t.Helper()
	c := from(t, source, to)
	s := &lab.Session{Primary: c, Stderr: lab.AcceptStderr(t, c)}
	fmt.Fprintf(c, "%s\x00%s\x00%s\x00", u.Name, u.Password, command)
	return s.Started(t)
}

func TestWithLostPacketsEveryByteArrives(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Address: "203.0.113.1"})
	session := open(t, "203.0.113.10", s.Addr, u, "sha256sum; head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2")
	// From here on: a handshake that loses four times in a row is refused, and rightly.
	blackhole(t, "ip saddr 203.0.113.10 numgen random mod 100 < 20")
	blackhole(t, "ip daddr 203.0.113.10 numgen random mod 100 < 20")
	sent := []byte(strings.Repeat("lossy", 40_000))
	session.Primary.Write(sent)
	a := session.Rest(t)
	if want := fmt.Sprintf("%x  -\n", sha256.Sum256(sent)); !strings.HasPrefix(string(a.All), want) || len(a.All) != len(want)+200_000 || len(a.Stderr) != 200_000 || a.Err != nil {
		t.Errorf("%d bytes, %d of stderr, %v; the sum is %.70q", len(a.All), len(a.Stderr), a.Err, a.All)
	}
	if lost := regexp.MustCompile(`203\.0\.113\.10 .* counter packets ([1-9][0-9]*) `).FindAllStringSubmatch(lab.Run(t, "nft", "list", "table", "inet", "attack"), -1); len(lost) != 2 {
		t.Errorf("packets were lost in %d directions", len(lost))
	} else {
		t.Logf("%s packets lost on the way in, %s on the way out", lost[0][1], lost[1][1])
	}
}

// From one moment on nothing comes from the peer any more, nor goes to it.
func TestAPeerWhoseNetworkDies(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	dir := openDir(t)
	dies := func(address string) {
		blackhole(t, "ip saddr "+address)
		blackhole(t, "ip daddr "+address)
	}
	t.Run("in the middle of its request", func(t *testing.T) {
		t.Parallel()
		s := serve(t, lab.Handler{Address: "203.0.113.1", Settings: "grace = 2"})
		c := from(t, "203.0.113.20", s.Addr)
		io.WriteString(c, "\x00"+u.Name+"\x00Secr")
		s.Process(t, 0)
		dies("203.0.113.20")
		s.Process(t, 0).Wait(t)
		s.Log.Wait(t, "Protocol error from 203.0.113.20 port ")
	})
	t.Run("before its refusal", func(t *testing.T) {
		t.Parallel()
		s := serve(t, lab.Handler{Address: "203.0.113.1"})
		c := from(t, "203.0.113.21", s.Addr)
		c.Write(lab.Request{User: "nosuch", Password: "x", Command: "id"}.Bytes())
		s.Log.Wait(t, "Failed password") // the answer is held back for half a second from here on
		dies("203.0.113.21")
		s.Process(t, 0).Wait(t)
	})
	t.Run("while its command runs", func(t *testing.T) {
		t.Parallel()
		s := serve(t, lab.Handler{Address: "203.0.113.1", Room: lab.Room{Stack: sessionStack(t, dir)}})
		session := open(t, "203.0.113.22", s.Addr, u, "echo ready; read x; echo lost; sleep 1; echo >"+dir+"/done")
		session.Line(t)
		session.Primary.Write([]byte("\n"))
		dies("203.0.113.22")
		s.Process(t, 0).Wait(t) // the command goes on to its end; the session is closed
		if read(dir+"/done") == "" || read(dir+"/close_session") != u.Name+"\n" {
			t.Errorf("command's mark %q, sessions closed %q", read(dir+"/done"), read(dir+"/close_session"))
		}
	})
	t.Run("between the two handshakes", func(t *testing.T) {
		t.Parallel()
		s := serve(t, lab.Handler{Address: "203.0.113.1", Settings: "grace = 2"})
		c := from(t, "203.0.113.23", s.Addr)
		s.Process(t, 0)
		blackhole(t, "ip daddr 203.0.113.23")
		begin := time.Now()
		io.WriteString(c, "5997\x00")
		s.Process(t, 0).Wait(t)
		if took := time.Since(begin); took > 2*time.Second+lab.Patience {
			t.Errorf("it took %v", took)
		}
	})
}
