package soak

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rexecd/tests/bench/rig"
)

// inventory is what connections could leave behind on a host.
type inventory struct {
	processes   int
	sockets     int // TCP, but for those that the kernel keeps in TIME_WAIT
	unixSockets int
	ipc         int
	files       []string // in the watched directories
	supervisor  int      // descriptors of a standing server's own process
	resident    float64  // KB of it
	zygote      float64  // KB of the process that its handlers are forked from
}

// watched are the directories where daemons and PAM modules leave files.
var watched = []string{"/run", "/tmp", "/var/tmp", "/var/lock", "/dev/shm", "/var/log", "/var/lib", "/home"}

func takeInventory(r *rig.Running) (inventory, error) {
	var v inventory
	list, err := rig.Processes()
	if err != nil {
		return v, err
	}
	v.processes = len(list)
	v.sockets = lines("/proc/net/tcp", func(l string) bool { return !strings.Contains(l, " 06 0000") }) +
		lines("/proc/net/tcp6", func(l string) bool { return !strings.Contains(l, " 06 0000") })
	v.unixSockets = lines("/proc/net/unix", nil)
	for _, kind := range []string{"shm", "sem", "msg"} {
		v.ipc += lines("/proc/sysvipc/"+kind, nil)
	}
	for _, dir := range watched {
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				v.files = append(v.files, path)
			}
			return nil
		})
	}
	if r.Standing {
		dir := fmt.Sprintf("/proc/%d/fd/", r.PID)
		fds, err := os.ReadDir(dir)
		if err != nil {
			return v, fmt.Errorf("supervisor is gone: %w", err)
		}
		for _, fd := range fds {
			// Go's poller is made once, for the first timer, which may be that of the first collection of garbage.
			if to, _ := os.Readlink(dir + fd.Name()); to != "anon_inode:[eventpoll]" && to != "anon_inode:[eventfd]" {
				v.supervisor++
			}
		}
		m, err := rig.MemoryOf(r.PID)
		if err != nil {
			return v, err
		}
		v.resident = m.PrivateDirty
		for range 1000 { // it may just be replaced
			if m, err = rig.MemoryOf(r.Zygote()); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if err != nil {
			return v, fmt.Errorf("zygote is gone: %w", err)
		}
		v.zygote = m.Dirty()
	}
	return v, nil
}

// lines counts the lines of a file that a test accepts.
func lines(path string, accept func(string) bool) int {
	data, _ := os.ReadFile(path)
	n := 0
	for line := range strings.Lines(string(data)) {
		if accept == nil || accept(line) {
			n++
		}
	}
	return n
}

func (v inventory) compare(before inventory, found *findings) {
	found.check(v.processes == before.processes, "processes: %d before, %d after", before.processes, v.processes)
	found.check(v.sockets <= before.sockets, "TCP sockets: %d before, %d after", before.sockets, v.sockets)
	found.check(v.unixSockets <= before.unixSockets, "Unix sockets: %d before, %d after", before.unixSockets, v.unixSockets)
	found.check(v.ipc == before.ipc, "System V objects: %d before, %d after", before.ipc, v.ipc)
	var left []string
	for _, f := range v.files {
		if !slices.Contains(before.files, f) {
			left = append(left, f)
		}
	}
	found.check(len(left) == 0, "%d files left in %s: %v", len(left), strings.Join(watched, " "), left[:min(len(left), 10)])
	if before.supervisor > 0 {
		found.check(v.supervisor <= before.supervisor, "descriptors of the supervisor: %d before, %d after", before.supervisor, v.supervisor)
		found.check(v.zygote <= before.zygote+64, "dirty KB of the zygote: %.0f before, %.0f after", before.zygote, v.zygote)
		// Go's heap grows to 4 MB before its first collection; a leak of 400 bytes for each of 20,000 connections shows.
		found.check(v.resident <= before.resident+8<<10, "private dirty KB of the supervisor: %.0f before, %.0f after", before.resident, v.resident)
	}
}
