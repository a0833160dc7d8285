// Package title sets what ps(1) shows as the command of this process, as sshd does
// it. Its name, which pgrep, killall and pidof look for, stays.
package title

// #include <stddef.h>
// int set_title(const char *text, size_t size);
import "C"

import (
	"os"
	"strings"
	"unsafe"
)

// The strings of os.Args lie in the memory that is overwritten, and so would those
// that flags made of them.
func init() {
	for i, arg := range os.Args {
		os.Args[i] = strings.Clone(arg)
	}
}

// Set shows a text. It is cut to the room that the arguments and the environment of
// this process took at its start; where there is none, nothing changes. It must be
// called on the first thread: C code there reads the environment.
func Set(text string) {
	if text != "" {
		C.set_title((*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
	}
}
