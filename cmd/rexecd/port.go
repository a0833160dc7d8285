package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// execPort is the service "exec" of services(5), 512 everywhere since 4.2BSD.
const execPort = 512

// A listener is the process that holds a listening TCP socket. pid 0: seen in the kernel's table, but its owner cannot
// be told (another user's process and no root, or another process namespace).
type listener struct {
	pid  int
	name string
}

func (l listener) String() string {
	if l.pid == 0 {
		return "a process that cannot be seen from here"
	}
	return fmt.Sprintf("%s (process %d)", l.name, l.pid)
}

// listeners returns who listens on port, one for each process; more than one holds the socket when a super-server has
// passed it on.
func listeners(port int) []listener {
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6
		}
		for _, inode := range listening(string(text), port) {
			inodes["socket:["+inode+"]"] = true
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	var found []listener
	for _, dir := range processes() {
		if holds(dir, inodes) {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			found = append(found, listener{pid, commandName(dir)})
		}
	}
	if found == nil {
		found = []listener{{}}
	}
	return found
}

// listening returns the inodes of the sockets in state LISTEN (0A) on port, from the text of /proc/net/tcp: "sl
// local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …", the address as hexadecimal "address:port".
func listening(table string, port int) []string {
	var inodes []string
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		if _, hex, ok := strings.Cut(f[1], ":"); ok {
			if p, err := strconv.ParseUint(hex, 16, 16); err == nil && int(p) == port {
				inodes = append(inodes, f[9])
			}
		}
	}
	return inodes
}

// processes returns the directories of /proc that are processes.
func processes() []string {
	dirs, _ := filepath.Glob("/proc/[1-9]*")
	return dirs
}

// named returns the processes with one of these names that root started. Any user
// can give a process any name.
func named(names ...string) []int {
	var pids []int
	for _, dir := range processes() {
		for _, name := range names {
			// The kernel keeps 15 bytes of a program's name.
			if commandName(dir) == name[:min(15, len(name))] && isRoots(dir) {
				pid, _ := strconv.Atoi(filepath.Base(dir))
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// isRoots reports whether all of a process's uids are 0 and its program is not a
// set-user-ID one, such as sudo waiting for a user's password. The owner of the
// directory does not tell: it is root for any process that is not dumpable.
func isRoots(dir string) bool {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return false
	}
	program, err := os.Stat(filepath.Join(dir, "exe"))
	switch {
	case errors.Is(err, fs.ErrPermission): // -check without root: the uids must do
	case err != nil || program.Mode()&os.ModeSetuid != 0:
		return false
	}
	for line := range strings.Lines(string(status)) {
		if uids, ok := strings.CutPrefix(line, "Uid:"); ok {
			return strings.Join(strings.Fields(uids), " ") == "0 0 0 0"
		}
	}
	return false
}

// commandName is the name of the program, as pgrep shows it.
func commandName(dir string) string {
	comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
	return strings.TrimSpace(string(comm))
}

func holds(dir string, sockets map[string]bool) bool {
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && sockets[to] {
			return true
		}
	}
	return false
}
