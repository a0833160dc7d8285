package job

import (
	"os"
	"unsafe"
)

// Blank overwrites an argument, or the part of one, where the kernel put it, so
// that ps(1) does not show it any more. Go's runtime makes os.Args of strings
// that point to that very memory, which is writable and belongs to the process;
// nobody but os.Args refers to it. TestPasswordIsBlankedInArgv looks into
// /proc/PID/cmdline.
func Blank(arg string) {
	begin := unsafe.StringData(arg)
	for _, full := range os.Args {
		offset := uintptr(unsafe.Pointer(begin)) - uintptr(unsafe.Pointer(unsafe.StringData(full)))
		if arg != "" && full != "" && offset < uintptr(len(full)) {
			clear(unsafe.Slice(begin, len(arg)))
			return
		}
	}
}
