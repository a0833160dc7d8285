//go:build unix

package main

import "os"

// openTerminal opens the controlling terminal. Under pdsh, cron or a daemon
// there is none.
func openTerminal() (*terminal, error) {
	in, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &terminal{in, in}, nil
}
