package attack

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// silentEnd waits for the server to close a connection without a word, within the grace time and
// not before it.
func silentEnd(t *testing.T, c net.Conn, begin time.Time, grace time.Duration) {
	t.Helper()
	all, err := io.ReadAll(c)
	took := time.Since(begin)
	if len(all) != 0 || took < grace-100*time.Millisecond || took > grace+lab.Patience {
		t.Errorf("answer %q, %v after %v; want silence after %v", all, err, took, grace)
	}
}

func TestAByteASecondInAnyFieldEndsAtTheGraceTime(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, c := range []struct{ field, before, drip string }{
		{"port", "", "00"},
		{"user", "\x00", strings.Repeat("u", 200)},
		{"password", "\x00" + u.Name + "\x00", strings.Repeat("p", 200)},
		{"command", "\x00" + u.Name + "\x00" + u.Password + "\x00", strings.Repeat("c", 200)},
	} {
		t.Run(c.field, func(t *testing.T) {
			t.Parallel()
			s := serve(t, lab.Handler{Settings: "grace = 3"})
			conn := lab.Dial(t, s.Addr)
			begin := time.Now()
			io.WriteString(conn, c.before)
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				silentEnd(t, conn, begin, 3*time.Second)
			}()
			for i := 0; ; i++ {
				select {
				case <-gone:
					allGone(t, s)
					r := s.Log.Wait(t, "Protocol error from 127.0.0.1 port ")
					if !strings.Contains(r["MESSAGE"], "grace time of 3s over") {
						t.Errorf("log: %q", r["MESSAGE"])
					}
					return
				case <-tick.C:
					io.WriteString(conn, c.drip[i%len(c.drip):i%len(c.drip)+1])
				}
			}
		})
	}
}

// The server dials nobody but the peer: the wire has no field for an address. What is left is the
// port.
func TestTheStderrPortLeadsToThePeerAloneAndNotToLowPorts(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	s := serve(t, lab.Handler{Address: "198.51.100.1"})
	// The same port is open on the peer, on the server's own address and on a third host.
	peer, err := net.Listen("tcp", "198.51.100.20:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	_, port, _ := net.SplitHostPort(peer.Addr().String())
	for _, other := range []string{"198.51.100.1", "198.51.100.21", "127.0.0.1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(other, port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if c, err := l.Accept(); err == nil {
				t.Errorf("%v was connected to from %v", l.Addr(), c.RemoteAddr())
			}
		}()
	}
	c := from(t, "198.51.100.20", s.Addr)
	fmt.Fprintf(c, "%s\x00", port)
	peer.(*net.TCPListener).SetDeadline(time.Now().Add(lab.Patience))
	e, err := peer.Accept()
	if err != nil {
		t.Fatalf("the peer was not connected to: %v", err)
	}
	if got := e.RemoteAddr().(*net.TCPAddr).IP.String(); got != "198.51.100.1" {
		t.Errorf("connected to from %s; want the address that the client dialled", got)
	}
	e.Close()
	// Services that believe a connection from a privileged address or port: shell, login,
	// printer, NFS, exec itself.
	for _, port := range []string{"1", "7", "22", "25", "111", "512", "513", "514", "515", "1023"} {
		low, err := net.Listen("tcp", "198.51.100.22:"+port)
		if err != nil {
			t.Fatal(err)
		}
		c := from(t, "198.51.100.22", s.Addr)
		fmt.Fprintf(c, "%s\x00", port)
		if all, _ := io.ReadAll(c); string(all) != "\x01stderr port "+port+" is not permitted\n" {
			t.Errorf("port %s: %q", port, all)
		}
		low.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := low.Accept(); err == nil {
			t.Errorf("port %s was connected to", port)
		}
		low.Close()
	}
	// From a port the peer cannot take for a privileged client's.
	c = from(t, "198.51.100.20", s.Addr)
	fmt.Fprintf(c, "%s\x00", port)
	if e, err = peer.Accept(); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if n := e.RemoteAddr().(*net.TCPAddr).Port; n < 1024 {
		t.Errorf("connected to from the privileged port %d", n)
	}
}

// The loopback is the one peer whose ports are not reachable for it without the server; and it
// is: a user of the host gains nothing. A peer cannot claim to be another: the handshake was
// completed.
func TestAPeerThatNeverCompletesTheSecondHandshakeEndsInTime(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	s := serve(t, lab.Handler{Settings: "grace = 3", Address: "198.51.100.1"})
	// A firewall that drops: to this port nothing comes back, not even a reset.
	blackhole(t, "tcp dport 5999")
	silent, err := net.Listen("tcp", "198.51.100.30:5999") // one of this host's ports: it must be the peer's own
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := from(t, "198.51.100.30", s.Addr)
	begin := time.Now()
	io.WriteString(c, "5999\x00")
	all, err := io.ReadAll(c)
	if took := time.Since(begin); !strings.HasPrefix(string(all), "\x01cannot connect to stderr port 5999: Connection timed out") || err != nil || took > 3*time.Second+lab.Patience {
		t.Errorf("answer %q, %v after %v", all, err, took)
	}
	// A listener whose queue is full: the kernel drops the SYN.
	full, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(full)
	if err := syscall.Bind(full, &syscall.SockaddrInet4{Addr: [4]byte{198, 51, 100, 31}, Port: 5998}); err != nil {
		t.Fatal(err)
	}
	syscall.Listen(full, 0)
	for range 3 {
		go net.DialTimeout("tcp", "198.51.100.31:5998", lab.Patience)
	}
	lab.Eventually(t, "a full queue", func() bool {
		c, err := net.DialTimeout("tcp", "198.51.100.31:5998", 200*time.Millisecond)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err != nil
	})
	c = from(t, "198.51.100.31", s.Addr)
	io.WriteString(c, "5998\x00")
	if all, _ := io.ReadAll(c); !strings.HasPrefix(string(all), "\x01cannot connect to stderr port 5998: ") {
		t.Errorf("answer %q", all)
	}
	allGone(t, s)
}

// blackhole drops packets of the private host that match, both ways, for the rest of the test.
func blackhole(t *testing.T, match string) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("add table inet attack\nadd chain inet attack loss { type filter hook output priority 0; }\nadd rule inet attack loss " + match + " counter drop\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// Resets at every byte of a request, with and without a stderr connection, hurt nobody but who
// sends them.
func TestAResetAtEveryPointEndsTheHandlerAndNothingElse(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{})
	all := request(u, "sleep .01; echo x").Bytes()
	for n := 0; n <= len(all); n++ {
		c := lab.Dial(t, s.Addr)
		c.Write(all[:n])
		c.SetLinger(0)
		c.Close()
	}
	for n := 0; n <= len(all)-1; n++ {
		c := lab.Dial(t, s.Addr)
		e := lab.AcceptStderr(t, c)
		c.Write(all[1 : n+1])
		for _, conn := range []*net.TCPConn{e, c} {
			conn.SetLinger(0)
			conn.Close()
		}
	}
	for range 20 { // after the status byte, with output under way
		session := lab.Open(t, s.Addr, u.Name, u.Password, "head -c 1000000 /dev/zero")
		session.Next(t, 10)
		session.Reset(t)
		session.Stderr.Close()
	}
	served(t, s.Addr, u)
	if n := allGone(t, s); n != 2*len(all)+1+20+1 {
		t.Errorf("%d handlers were started", n)
	}
	for _, p := range s.Processes() {
		// 2: the connection was reset before the handler could look who it is.
		if code := p.State.ExitCode(); code != 0 && code != 2 {
			t.Errorf("a handler ended with %v", p.State)
		}
	}
	if text := s.Log.Raw(); strings.Contains(text, "Internal error") {
		t.Errorf("the log: %q", text)
	}
}

// A peer that opens no window for the answer keeps nobody's attention for long.
func TestAPeerThatDoesNotReadCannotHoldARefusal(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	var held []*net.TCPConn
	for range 8 {
		c := lab.Dial(t, s.Addr)
		c.SetReadBuffer(1)
		c.Write([]byte("\x00nosuch\x00x\x00"))
		c.Write(bytes.Repeat([]byte("x"), 100_000)) // a command far from its end, and never read back
		c.Write([]byte{0})
		held = append(held, c)
	}
	allGone(t, s) // while all the connections are still open here
	for _, c := range held {
		c.Close()
	}
}

func TestAWindowOfZeroStopsTheCommandAndNotTheServer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{})
	session := lab.Open(t, s.Addr, u.Name, u.Password, "yes & yes >&2").Started(t)
	handler := s.Process(t, 0).Pid
	before := rss(handler)
	// Both connections are full: whoever writes them sleeps. It is the command that does; the
	// server holds no byte.
	lab.Eventually(t, "a command that waits", func() bool {
		for _, c := range children(handler) {
			if !strings.HasPrefix(status(c, "State"), "S") {
				return false
			}
		}
		return true
	})
	session.Signal(t, 15) // and the way up the same connection is open
	state := s.Process(t, 0).Wait(t)
	if state.ExitCode() != 0 {
		t.Errorf("handler's end: %v", state)
	}
	if after := rss(handler); after > before+2048 {
		t.Errorf("the server grew from %d to %d kB", before, after)
	}
	served(t, s.Addr, u)
}
