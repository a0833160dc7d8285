// Package before is what happens before Go's runtime starts: C constructors, and
// their undoing before any package that would notice.
package before

// void restore(void);
import "C"

import "runtime"

// The main goroutine stays on the process's first thread: PAM needs it (package
// login). That thread gets back what the constructors took (before.c), and so will
// the command, which inherits it.
//
// Of packages that are ready the one with the first path is initialised first (The
// Go Programming Language Specification, "Program initialization"): this one
// imports next to nothing, and so comes before time, os and all that open files.
func init() {
	runtime.LockOSThread()
	C.restore()
}
