// Package preinit holds what happens before Go's runtime starts: C constructors,
// and their undoing before any package that would notice.
package preinit

/*
#cgo LDFLAGS: -lpam
void restore(void);
*/
import "C"

import (
	"runtime"
	"syscall"
)

// The main goroutine stays on the process's first thread: PAM needs it (package
// login). That thread gets back what the constructors took (preinit.c), and so will
// the command, which inherits it.
//
// Of packages that are ready the one with the first path is initialised first (The
// Go Programming Language Specification, "Program initialization"): this one
// imports next to nothing, and so comes before time, os and all others that open
// files. Only syscall comes before it, which has raised the soft limit of open
// files, for the entire process: pam_limits must find what the super-server gave,
// and so must the shell. What syscall has noted, to give it to new processes, was
// not that: a limit that is set by hand makes it forget.
func init() {
	runtime.LockOSThread()
	C.restore()
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
	}
}
