package inetd

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The far end's holder may die at any moment: that is no end of the stream.
func TestTheEndOfWhoHasTheFarEndIsAReset(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(far int)
		want error
	}{
		"it dies": {func(far int) { unix.Close(far) }, unix.ECONNRESET},
		"it has announced the end": {func(far int) {
			_ = unix.SetsockoptLinger(far, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
			unix.Shutdown(far, unix.SHUT_WR)
			unix.Close(far)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			near, far, names, err := loopback()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(near)
			if LocalAddr(near) != names.local || LocalAddr(far) != names.peer {
				t.Errorf("the ends are %v and %v; said to be %v", LocalAddr(near), LocalAddr(far), names)
			}
			if _, err := unix.Write(far, []byte("part")); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 10)
			if n, err := unix.Read(near, b); string(b[:max(n, 0)]) != "part" {
				t.Fatalf("%q, %v", b[:max(n, 0)], err)
			}
			tt.end(far)
			if n, err := unix.Read(near, b); n > 0 || !errors.Is(err, tt.want) {
				t.Errorf("%d, %v; want %v", n, err, tt.want)
			}
		})
	}
}

// Anybody on this host can connect to the port that a stream is made by.
func TestAStrangersConnectionIsNoEndOfTheStream(t *testing.T) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	local := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(l, local), unix.Listen(l, 4)); err != nil {
		t.Fatal(err)
	}
	at, _ := unix.Getsockname(l)
	var fds [2]int
	for i := range fds {
		if fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fds[i])
		if err := unix.Connect(fds[i], at); err != nil {
			t.Fatal(err)
		}
	}
	far, err := acceptFrom(l, LocalAddr(fds[1])) // the second
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(far)
	if peer, _ := unix.Getpeername(far); addrPort(peer) != LocalAddr(fds[1]) {
		t.Errorf("accepted %v; want %v", addrPort(peer), LocalAddr(fds[1]))
	}
}

// Nor can anybody keep near from its connection, or be answered.
func TestWhoListensForOneHearsNobodyElse(t *testing.T) {
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	near, listener := socket(), socket()
	at, err := listenFor(near, listener)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		stranger := socket()
		tv := unix.NsecToTimeval(50e6)
		if err := unix.SetsockoptTimeval(stranger, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(stranger, at); err != unix.EINPROGRESS {
			t.Errorf("a stranger's connect: %v", err)
		}
	}
	if err := unix.Connect(near, at); err != nil {
		t.Fatal(err)
	}
	far, err := acceptFrom(listener, LocalAddr(near))
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(far)
}
