package main

import "golang.org/x/sys/unix"

// deniedHere are the older forms of denied calls.
var deniedHere = []uint32{unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_ACCEPT, unix.SYS_FORK, unix.SYS_VFORK}
