package e2e

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refuseFork returns the words before a command that make every fork of it fail with EAGAIN, as
// it does when a limit on processes is reached. Threads are still made. It is this test binary
// under another name.
func refuseFork(t testing.TB) []string {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe, refuseForkWord}
}

const refuseForkWord = "refuse-fork"

func init() {
	if len(os.Args) > 2 && os.Args[1] == refuseForkWord {
		err := execWithoutFork(os.Args[2:])
		fmt.Fprintln(os.Stderr, "refuse-fork:", err)
		os.Exit(127)
	}
}

func execWithoutFork(argv []string) error {
	runtime.LockOSThread()
	const deny, pass = unix.SECCOMP_RET_ERRNO, unix.SECCOMP_RET_ALLOW
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	equal := func(value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: skip}
	}
	ret := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	filter := []unix.SockFilter{
		load(0), // the call's number
		equal(unix.SYS_CLONE, 4),
		load(16), // clone's flags: the low half of its first argument
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.CLONE_THREAD, Jf: 1},
		ret(pass),
		ret(deny | uint32(unix.EAGAIN)),
		equal(unix.SYS_CLONE3, 1),
		ret(deny | uint32(unix.ENOSYS)), // so that glibc uses clone, whose flags can be seen
	}
	if runtime.GOARCH == "amd64" {
		const fork, vfork = 57, 58
		filter = append(filter, equal(fork, 1), ret(deny|uint32(unix.EAGAIN)), equal(vfork, 1), ret(deny|uint32(unix.EAGAIN)))
	}
	filter = append(filter, ret(pass))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("install filter: %w", err)
	}
	path := argv[0]
	return fmt.Errorf("exec %s: %w", path, unix.Exec(path, argv, os.Environ()))
}
