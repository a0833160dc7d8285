package prefork

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets this program be the handlers of its own tests: they say what
// they are told to do, and stay until the peer has closed.
func TestMain(m *testing.M) {
	fd, served := 0, len(os.Args) == 1
	switch os.Args[0] {
	case "warm":
		worker, err := NewWorker(1)
		if err == nil {
			fd, served, err = worker.Accept(plainly)
		}
		if err != nil || fd < 0 {
			os.Exit(0)
		}
	case "hangs":
		time.Sleep(time.Hour)
	case "deaf":
		unix.Close(controlFd)
		time.Sleep(time.Hour)
	case "cold":
	case "mute":
		unix.Write(controlFd, []byte(readyZygote))
		time.Sleep(time.Hour)
	case "parting":
		unix.Write(controlFd, []byte(readyZygote))
		unix.Close(controlFd)
		time.Sleep(time.Hour)
	case "refusing":
		unix.Read(controlFd, make([]byte, 64)) // unread, the service's name would be a reset
		unix.Write(controlFd, []byte("a reason"))
		os.Exit(0)
	case "dying":
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
	unix.Write(fd, fmt.Appendf(nil, "%d %t\n", os.Getpid(), served))
	for b := make([]byte, 1); ; {
		if n, err := unix.Read(fd, b); n == 0 || err != nil && err != unix.EINTR {
			os.Exit(0)
		}
	}
}

// plainly accepts with the ids that the process has.
func plainly(f func()) { f() }

// A visit is a connection and what its handler sent.
type visit struct {
	net.Conn
	pid    int // 0: closed without a word
	served bool
}

// supervised starts s and returns what connects to it.
func supervised(t *testing.T, s *Supervisor) func(from string) visit {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	var signals [2]int
	if err := unix.Pipe2(signals[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	log := &strings.Builder{}
	s.Listeners, s.Signals, s.Log, s.Stderr, s.AsNobody = []int{int(file.Fd())}, signals[0], log, 2, plainly
	s.Path, s.Cold, s.Warm = "/proc/self/exe", []string{"cold"}, []string{"warm"}
	end := make(chan error)
	go func() { end <- s.Run() }()
	t.Cleanup(func() {
		unix.Write(signals[1], []byte{byte(unix.SIGTERM)})
		if err := <-end; err != nil || strings.Contains(log.String(), "died") {
			t.Errorf("Run: %v; it said %q", err, log)
		}
		file.Close()
		unix.Close(signals[0])
		unix.Close(signals[1])
	})
	return func(from string) (v visit) {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		if v.Conn, err = d.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.Close() })
		v.SetDeadline(time.Now().Add(30 * time.Second))
		line, err := bufio.NewReader(v).ReadString('\n')
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("from %s: not answered", from)
		}
		fmt.Sscan(line, &v.pid, &v.served)
		return v
	}
}

// leave closes a connection and waits until its handler is reaped.
func (v visit) leave(t *testing.T) {
	t.Helper()
	v.Close()
	for until := time.Now().Add(30 * time.Second); unix.Kill(v.pid, 0) != unix.ESRCH; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("handler %d goes on", v.pid)
		}
	}
}

func TestRefusedConnectionsAreNoSessions(t *testing.T) {
	for _, idle := range []int{0, 2} {
		t.Run(fmt.Sprintf("%d wait", idle), func(t *testing.T) {
			dial := supervised(t, &Supervisor{Idle: idle, Max: 3, PerSource: 1})
			want := func(what string, v visit, answered, served bool) visit {
				t.Helper()
				if (v.pid != 0) != answered || v.served != served {
					t.Fatalf("%s: answered %t, served %t; want %t, %t", what, v.pid != 0, v.served, answered, served)
				}
				return v
			}
			session := want("a session", dial("127.0.0.1"), true, true)
			var refused visit
			for range 2 {
				refused = want("one too many", dial("127.0.0.1"), true, false)
			}
			for range 5 {
				want("one too many while two of its are being refused", dial("127.0.0.1"), false, false)
			}
			other := want("another source", dial("127.0.0.2"), true, true)
			want("one too many of another source", dial("127.0.0.2"), true, false)
			want("one too many while three are being refused", dial("127.0.0.2"), false, false)
			want("a third source", dial("127.0.0.3"), true, true)
			session.leave(t)
			want("the first source without a session", dial("127.0.0.1"), true, true)
			other.leave(t)
			want("one too many while three are being refused", dial("127.0.0.1"), false, false)
			refused.leave(t)
			want("one too many while two are being refused", dial("127.0.0.1"), true, false)
		})
	}
}

func TestJudge(t *testing.T) {
	from, other := netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("192.0.2.8/32")
	handlers := func(sessions, refused, others int) (all []*handler) {
		for range sessions {
			all = append(all, &handler{busy: true, source: from})
		}
		for range refused {
			all = append(all, &handler{busy: true, source: from, refused: true})
		}
		for range others {
			all = append(all, &handler{busy: true, source: other, refused: true})
		}
		return append(all, &handler{}, &handler{busy: true, source: other})
	}
	const limit = "2 sessions at once are its limit"
	const most, half = manyRefused, manyRefused / 2
	for _, tt := range []struct {
		name                      string
		sessions, refused, others int
		max, perSource            int
		want                      byte
		lines                     int // in the log
	}{
		{"no limit", 1000, 0, 0, 0, 0, serve, 0},
		{"no session", 0, 0, 0, 0, 2, serve, 0},
		{"one session", 1, 0, 0, 0, 2, serve, 0},
		{"as many as may be", 2, 0, 0, 0, 2, refuse, 1},
		{"refused ones alone", 0, half, half, 0, 2, serve, 0},
		{"refused ones and one session", 1, half, half, 0, 2, serve, 0},
		{"the source's last that is refused", 2, half - 1, 0, 0, 2, refuse, 2},
		{"the source's first that is not", 2, half, 0, 0, 2, drop, 0},
		{"the last beside another source", 2, 0, most - 1, 0, 2, refuse, 2},
		{"the first that is not, beside another source", 2, 0, most, 0, 2, drop, 0},
		{"the other source has its half", 2, 0, half, 0, 2, refuse, 1},
		{"both have their halves, less one", 2, half - 1, half, 0, 2, refuse, 2},
		{"both have their halves", 2, half, half, 0, 2, drop, 0},
		{"the source's last on a small host", 2, 1, 0, 4, 2, refuse, 2},
		{"the source's first that is not, on a small host", 2, 2, 0, 4, 2, drop, 0},
		{"the last on a small host", 2, 1, 2, 4, 2, refuse, 2},
		{"the only one of the smallest host", 2, 0, 0, 1, 2, refuse, 2},
		{"none more on the smallest host", 2, 0, 1, 1, 2, drop, 0},
		{"the last on a big host", 2, half - 1, 0, 1000, 2, refuse, 2},
		{"the first that is not, on a big host", 2, half, 0, 1000, 2, drop, 0},
	} {
		log := &strings.Builder{}
		all := handlers(tt.sessions, tt.refused, tt.others)
		s := Supervisor{Max: tt.max, PerSource: tt.perSource, Log: log, handlers: all}
		if got := s.judge(from); got != tt.want {
			t.Errorf("%s: judge = %c; want %c", tt.name, got, tt.want)
		}
		text := log.String()
		if strings.Count(text, "\n") != tt.lines || (tt.lines > 0) != strings.Contains(text, limit) {
			t.Errorf("%s: the log is %q; want %d lines", tt.name, text, tt.lines)
		}
	}
}

func TestCapacityCountsSessionsAndWaitingHandlers(t *testing.T) {
	waiting, session, refused := &handler{}, &handler{busy: true}, &handler{busy: true, refused: true}
	for _, tt := range []struct {
		max      int
		handlers []*handler
		want     bool
	}{
		{0, []*handler{waiting, session, refused}, true},
		{2, []*handler{session}, true},
		{2, []*handler{session, session}, false},
		{2, []*handler{session, waiting}, false},
		{2, []*handler{session, refused}, true},
		{2, []*handler{refused, refused, refused}, true},
		{2, []*handler{session, refused, waiting}, false},
	} {
		s := Supervisor{Max: tt.max, handlers: tt.handlers}
		if got := s.hasCapacity(); got != tt.want {
			t.Errorf("hasCapacity with Max %d with %d handlers, %d refused = %t; want %t", tt.max, len(tt.handlers), s.refused(), got, tt.want)
		}
	}
}

// It has accepted the connection before it knew.
func TestLimitsHoldForAHandlerThatWasAskedToEnd(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	from := netip.MustParsePrefix("192.0.2.7/32")
	h := &handler{control: pair[0]}
	s := Supervisor{PerSource: 1, Log: &strings.Builder{}, handlers: []*handler{{busy: true, source: from}, h}}
	s.retire()
	if _, err := unix.Write(pair[1], []byte(from.String())); err != nil {
		t.Fatal(err)
	}
	s.readReport(h)
	for _, want := range []byte{leave, refuse} {
		var got [2]byte
		if n, err := unix.Read(pair[1], got[:]); n != 1 || err != nil || got[0] != want {
			t.Errorf("it was sent %q (%v); want %q", got[:max(n, 0)], err, want)
		}
	}
	if s.sessions(from) != 1 || s.refused() != 1 {
		t.Errorf("%d sessions, %d are refused; want one of each", s.sessions(from), s.refused())
	}
}

func TestASourceIsWhatOneClientHas(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "169.254.1.2": "169.254.1.2/32", "::ffff:169.254.1.2": "169.254.1.2/32",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "::1": "::/64",
		"fe80::1": "fe80::1/128", "fe80::2:0:0:1": "fe80::2:0:0:1/128", "febf::1": "febf::1/128", "fec0::1": "fec0::/64",
	} {
		ip := netip.MustParseAddr(addr)
		var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: ip.As16()}
		if ip.Is4() {
			sa = &unix.SockaddrInet4{Addr: ip.As4()}
		}
		if got := source(sa); got.String() != want {
			t.Errorf("source(%s) = %v; want %s", addr, got, want)
		}
	}
}
