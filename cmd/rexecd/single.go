package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Longer ones fit no field of the protocol.
const (
	maxUser     = 256
	maxPassword = 511
)

// takeSingle takes the user whom -debug is to let in out of the environment, before
// anything is started that would inherit it: OS/2's server knew one user, by the
// variables USERID and PASSWORD. It returns a file in memory with both, for the
// handlers; 0 if there is no such user, as for root.
func takeSingle(o options) (int, error) {
	if !o.debug || o.standby > 0 {
		return 0, nil
	}
	user, password := os.Getenv("USERID"), os.Getenv("PASSWORD")
	os.Unsetenv("USERID")
	os.Unsetenv("PASSWORD")
	if user == "" || password == "" || os.Geteuid() == 0 {
		return 0, nil
	}
	if len(user) > maxUser || len(password) > maxPassword {
		return 0, errors.New("USERID or PASSWORD: longer than a client can send")
	}
	fd, err := unix.MemfdCreate("single", unix.MFD_CLOEXEC)
	if err == nil {
		_, err = unix.Write(fd, []byte(user+"\x00"+password))
	}
	if err != nil {
		return 0, fmt.Errorf("keep USERID and PASSWORD: %w", err)
	}
	return fd, nil
}
