package inetd

import (
	"os"
	"strconv"
	"testing"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// kept are files of go-systemd's that must not be closed by the garbage
// collector: the descriptors are the test binary's own.
var kept []*os.File

func TestPassedSocketsAreCountedAsGoSystemdDoes(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, tt := range []struct{ pid, fds string }{
		{own, "1"}, {own, "2"}, {own, "0"}, {own, "-1"}, {own, ""}, {own, "x"}, {own, "1 "}, {own, "99999999999999999999"},
		{"1", "1"}, {"", "1"}, {"x", "1"}, {own + " ", "1"}, {"0" + own, "1"}, {"", ""},
	} {
		t.Setenv("LISTEN_PID", tt.pid)
		t.Setenv("LISTEN_FDS", tt.fds)
		files := activation.Files(false)
		kept = append(kept, files...)
		if got := listenFds(); got != len(files) {
			t.Errorf("LISTEN_PID=%q LISTEN_FDS=%q: %d; want %d", tt.pid, tt.fds, got, len(files))
		}
		if got := Handed(); got != (len(files) > 0) {
			t.Errorf("LISTEN_PID=%q LISTEN_FDS=%q: Handed() = %v", tt.pid, tt.fds, got)
		}
	}
}

func TestLocalAddrIsThatOfATCPSocket(t *testing.T) {
	c, client := pair(t)
	if got := LocalAddr(c.Fd()); got.String() != client.RemoteAddr().String() {
		t.Errorf("LocalAddr = %v; want %v", got, client.RemoteAddr())
	}
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	for _, fd := range []int{p[0], -1} {
		if got := LocalAddr(fd); got.IsValid() {
			t.Errorf("LocalAddr(%d) = %v; want none", fd, got)
		}
	}
}
