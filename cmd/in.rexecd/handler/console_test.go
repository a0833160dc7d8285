package handler

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestConsoleIsNeverAPeer(t *testing.T) {
	// What the test binary has as descriptor 2 is a pipe, a file or a terminal.
	if fd := console(); fd < 10 {
		t.Errorf("console() = %d", fd)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 50)
	if err != nil {
		t.Fatal(err)
	}
	unix.Dup3(socket, 2, 0)
	c := console()
	unix.Dup3(saved, 2, 0)
	unix.Close(saved)
	unix.Close(socket)
	if c >= 0 {
		t.Errorf("console() of a TCP socket = %d", c)
	}
}
