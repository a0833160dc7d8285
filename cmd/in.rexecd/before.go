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
