package main

import "unsafe"

// blank overwrites an argument where the kernel put it, so that ps(1) does not
// show it any more. Go's runtime makes os.Args of strings that point to that
// very memory, which is writable and belongs to the process; nobody but
// os.Args refers to it. TestPasswordIsBlankedInArgv reads /proc/PID/cmdline.
func blank(arg string) {
	if arg == "" {
		return
	}
	clear(unsafe.Slice(unsafe.StringData(arg), len(arg)))
}
