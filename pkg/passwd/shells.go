package passwd

/*
#define _GNU_SOURCE
#include <unistd.h>
*/
import "C"

// HasShell reports whether the account's shell is one of shells(5), which is how
// programs that do not start the shell know who may log in: /usr/sbin/nologin is
// none. It must not be called by two threads at once.
func (e *Entry) HasShell() bool {
	shell := e.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	C.setusershell()
	defer C.endusershell()
	for s := C.getusershell(); s != nil; s = C.getusershell() {
		if C.GoString(s) == shell {
			return true
		}
	}
	return false
}
