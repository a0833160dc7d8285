// The runtime is not to watch the cgroup's limit on processors, once a second
// with a goroutine: one processor is what it is shown (before.c).
//
//go:debug updatemaxprocs=0

package main

// void restore(void);
import "C"

import "runtime"

// The main goroutine stays on the process's first thread: PAM needs it (package
// login). It gets back the processors and the timer slack that the process was
// given, and so will the command, which inherits them from it; see before.c.
func init() {
	runtime.LockOSThread()
	C.restore()
}
