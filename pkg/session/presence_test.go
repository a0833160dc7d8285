package session

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tcp is a TCP connection: the client's end, and ours as a descriptor.
func tcp(t *testing.T) (*net.TCPConn, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := s.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return client.(*net.TCPConn), fd
}

func TestAVanishedClientIsToldFromOneThatHasSentAll(t *testing.T) {
	both := func(a, b *net.TCPConn) { a.Close(); b.Close() }
	input := func(a, _ *net.TCPConn) { a.CloseWrite() }
	stderr := func(_, b *net.TCPConn) { b.CloseWrite() }
	never := func(_, _ *net.TCPConn) {}
	for _, tt := range []struct {
		name          string
		one, off      bool                    // one connection; HangUp is off
		before, after func(a, b *net.TCPConn) // the command's start
		later         func(a, b *net.TCPConn) // longer after than what is together
		hangsUp       bool
		probes        bool
	}{
		{name: "killed", before: never, after: both, hangsUp: true},
		{name: "killed, and nobody asked", before: never, after: both, off: true},
		{name: "all input sent, killed later", before: input, after: never, later: both, hangsUp: true},
		{name: "all input sent", before: input, after: never},
		{name: "stderr half-closed at once, as GNU's", before: stderr, after: never},
		{name: "as GNU's, all input sent", before: stderr, after: input, probes: true},
		{name: "as GNU's, all input sent at once", before: both, after: never, probes: true},
		{name: "stderr half-closed, all input sent later", before: never, after: stderr, later: input, probes: true},
		{name: "one connection, all input sent", one: true, before: never, after: input, probes: true},
		{name: "one connection, all input sent before", one: true, before: input, after: never, probes: true},
		{name: "one connection, and nobody asked", one: true, off: true, before: never, after: input},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := begin(t, sh("trap 'exit 8' HUP; echo ready; read x; exit 3"))
			if err != nil {
				t.Fatal(err)
			}
			r.line(t)
			a, primary := tcp(t)
			b, second := tcp(t)
			a.Write([]byte("input"))
			tt.before(a, b)
			if tt.one {
				second = 0
			}
			time.Sleep(50 * time.Millisecond) // for what was sent to arrive
			acted := make(chan bool)
			defer func() { <-acted }() // before the sockets go
			go func() {
				defer close(acted)
				r.waitUntilItPolls()
				tt.after(a, b)
				if tt.later != nil {
					time.Sleep(together + 200*time.Millisecond)
					tt.later(a, b)
				}
				time.Sleep(300 * time.Millisecond)
				unix.Write(r.primary.Fd(), []byte("\n"))
			}()
			status, err := r.attendTo(Attention{Stop: noStop(t), Primary: primary, Stderr: second, HangUp: !tt.off})
			want := Status{Exit: 3}
			if tt.hangsUp {
				want.Exit = 8
			}
			if status != want || err != nil {
				t.Errorf("Attend = %+v, %v; want %+v", status, err, want)
			}
			idle, _ := unix.GetsockoptInt(primary, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
			on, _ := unix.GetsockoptInt(primary, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			if (on == 1 && idle == 10) != tt.probes {
				t.Errorf("keepalive %d, after %d s; probes wanted: %v", on, idle, tt.probes)
			}
			if n, _ := unix.IoctlGetInt(primary, unix.TIOCINQ); n != len("input") {
				t.Errorf("%d bytes of input are left; want all", n)
			}
		})
	}
}

func TestAFloodOfSignalsDoesNotKeepAStopFromItsEnd(t *testing.T) {
	r, err := begin(t, sh("trap '' TERM URG; echo ready; while :; do sleep 0.01; done"))
	if err != nil {
		t.Fatal(err)
	}
	r.line(t)
	peer, ours := pair(t)
	go func() {
		for many := make([]byte, 1000); ; {
			if _, err := unix.Write(peer.Fd(), many); err != nil {
				return
			}
		}
	}()
	s, signals := stop(t)
	unix.Write(signals, []byte{15})
	ended := make(chan Status)
	go func() {
		status, _ := r.attendTo(Attention{Stop: s, Stderr: ours.Fd()})
		ended <- status
	}()
	select {
	case status := <-ended:
		if status != (Status{Exit: -1, Stopped: true}) {
			t.Errorf("%+v", status)
		}
	case <-time.After(patienceOfTests):
		t.Error("it goes on")
	}
	unix.Shutdown(ours.Fd(), unix.SHUT_RDWR)
}
