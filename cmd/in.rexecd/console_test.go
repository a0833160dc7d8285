package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestConsoleIsNeverASocket(t *testing.T) {
	// What the test binary has as descriptor 2 is a pipe, a file or a terminal.
	if c, ok := console().(*os.File); !ok || c.Fd() < 10 {
		t.Errorf("console() = %v", console())
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	saved, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 50)
	if err != nil {
		t.Fatal(err)
	}
	unix.Dup3(pair[1], 2, 0)
	c := console()
	unix.Dup3(saved, 2, 0)
	unix.Close(saved)
	unix.Close(pair[1])
	if _, ok := c.(*os.File); ok {
		t.Error("a socket was taken for a console: it may be the peer")
	}
}
