// The runtime is not to read /proc/self/mountinfo and the cgroup's files for a
// processor limit: one processor is what it is shown (before.c).
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

package main

// void restore_cpus(void);
import "C"

import "runtime"

// The main goroutine stays on the process's first thread: PAM needs it (package
// login). It runs on every processor that the process was given again, and so
// will the command, which inherits that from it; see before.c.
func init() {
	runtime.LockOSThread()
	C.restore_cpus()
}
