package rig

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Reserve puts this program and what it starts into a control group that goes before everything else on the machine,
// and returns how to undo it. Two reasons: other work disturbs all servers alike, but it disturbs; and outside a group
// of its own Linux gives each session a share of the processor (autogroup), so that a command whose server calls
// setsid() for it is scheduled against the client, and another's is not. Where it cannot be had the figures are only
// noisier.
func Reserve() (undo func(), err error) {
	for _, c := range []struct{ root, file, most string }{
		{"/sys/fs/cgroup/cpu", "cpu.shares", "262144"}, // version 1
		{"/sys/fs/cgroup", "cpu.weight", "10000"},      // version 2
	} {
		group := filepath.Join(c.root, "rexec-bench."+strconv.Itoa(os.Getpid()))
		if _, err := os.Stat(filepath.Join(c.root, "cgroup.procs")); err != nil || os.Mkdir(group, 0o755) != nil {
			continue
		}
		pid := []byte(strconv.Itoa(os.Getpid()))
		undo = func() {
			_ = os.WriteFile(filepath.Join(c.root, "cgroup.procs"), pid, 0)
			// What was killed with its private host takes a moment to leave.
			for range 50 {
				if syscall.Rmdir(group) == nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		if os.WriteFile(filepath.Join(group, c.file), []byte(c.most), 0) == nil && os.WriteFile(filepath.Join(group, "cgroup.procs"), pid, 0) == nil {
			return undo, nil
		}
		undo()
	}
	return func() {}, errors.New("no control group with a share of the processor can be made")
}
