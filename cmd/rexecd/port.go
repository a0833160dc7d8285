package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// portOf is the port of a TCP service in the text of services(5); 0: none.
func portOf(services, name string) int {
	for line := range strings.Lines(services) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != name && !slices.Contains(f[2:], name) {
			continue
		}
		if number, ok := strings.CutSuffix(f[1], "/tcp"); ok {
			port, _ := strconv.Atoi(number)
			return port
		}
	}
	return 0
}

// A listener is the process that holds a listening TCP socket. pid 0: seen in the kernel's table, but its owner cannot
// be told (another user's process and no root, or another process namespace).
type listener struct {
	pid      int
	name     string
	presumed bool // its descriptors cannot be read
}

func (l listener) String() string {
	if l.pid == 0 {
		return "a process that cannot be seen from here"
	}
	if l.presumed {
		return fmt.Sprintf("%s (process %d, as it seems)", l.name, l.pid)
	}
	return fmt.Sprintf("%s (process %d)", l.name, l.pid)
}

// checkPort looks at who listens on port 512.
func checkPort() []finding {
	about := topic(fmt.Sprintf("port %d", execPort))
	who := listeners(execPort)
	if len(who) == 0 {
		return []finding{about.fail("nobody listens; %s starts the service, %s tries it out", again("-install"), again("-debug"))}
	}
	var found []finding
	for _, l := range leaders(who) {
		switch {
		case l.pid == 0:
			found = append(found, about.note("%v listens: run this as root, outside of containers", l))
		case l.servesUs():
			found = append(found, about.ok("%v listens", l))
		case l.name == "rlinetd":
			found = append(found, about.note("%v listens, whose configuration is not read here", l))
		default:
			found = append(found, about.fail("%v listens, and starts no %s: clients get another server; stop it", l, handlerName))
		}
	}
	return found
}

// servesUs reports whether a listener is the supervisor, one of its processes, a
// super-server that has an entry of ours, or root's program with ours among its
// arguments, such as tcpserver.
func (l listener) servesUs() bool {
	if l.supervises() {
		return true
	}
	for _, e := range entries() {
		if ours(e.server) && slices.Contains(e.by.running(), l.pid) {
			return true
		}
	}
	if l.pid == 1 && systemdRuns() {
		return unitIs("active", socketUnit) || unitIs("active", standbyUnit)
	}
	dir := "/proc/" + strconv.Itoa(l.pid)
	return isRoots(dir) && !slices.Contains(inetdServer().running(), l.pid) && !slices.Contains(xinetdServer().running(), l.pid) &&
		slices.ContainsFunc(commandLine(l.pid), func(arg string) bool { return filepath.IsAbs(arg) && ours(arg) })
}

// supervises reports whether a listener is rexecd or a process that it keeps ready.
func (l listener) supervises() bool {
	dir := "/proc/" + strconv.Itoa(l.pid)
	if path, err := handler(); err == nil && sameProgram(dir+"/exe", path) {
		return true
	}
	return sameProgram(dir+"/exe", "/proc/self/exe") || (l.name == "rexecd" || l.name == handlerName) && isRoots(dir)
}

// leaders are the listeners without the processes that a supervisor among them keeps ready.
func leaders(all []listener) []listener {
	var found []listener
	for _, l := range all {
		above := parent(l.pid)
		kept := l.name == handlerName && l.supervises() && slices.ContainsFunc(all, func(s listener) bool {
			return s.pid == above && s.name == "rexecd" && s.supervises()
		})
		if !kept {
			found = append(found, l)
		}
	}
	return found
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
			found = append(found, listener{pid: pid, name: commandName(dir)})
		}
	}
	if found == nil {
		return []listener{presumed()}
	}
	return found
}

// presumed is who listens where nobody can be seen to do so: the descriptors of
// rexecd, which is not dumpable, are hidden from a container's root (it takes
// CAP_SYS_PTRACE).
func presumed() listener {
	for _, pid := range named("rexecd") {
		if argv := commandLine(pid); slices.ContainsFunc(argv, func(arg string) bool {
			return strings.HasPrefix(strings.TrimLeft(arg, "-"), "standby") || strings.TrimLeft(arg, "-") == "debug"
		}) {
			return listener{pid, "rexecd", true}
		}
	}
	return listener{}
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

// applets returns root's processes that are an applet of busybox, which keeps its
// own name.
func applets(name string) []int {
	var pids []int
	for _, pid := range named("busybox") {
		if argv := commandLine(pid); len(argv) > 1 && filepath.Base(argv[0]) == "busybox" && argv[1] == name {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parent is the process that started a process, or has taken it over.
func parent(pid int) int {
	for line := range strings.Lines(contents("/proc/" + strconv.Itoa(pid) + "/status")) {
		if text, found := strings.CutPrefix(line, "PPid:"); found {
			pid, _ := strconv.Atoi(strings.TrimSpace(text))
			return pid
		}
	}
	return 0
}

func commandLine(pid int) []string {
	text := contents("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return strings.Split(strings.TrimRight(text, "\x00"), "\x00")
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

// commandName is the name of the program, as pgrep shows it. Any user can give a
// process any bytes as its name, a line of -check among them.
func commandName(dir string) string {
	comm := strings.TrimSuffix(contents(filepath.Join(dir, "comm")), "\n")
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, comm)
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
