package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// empty is all of the file system that this process keeps: a directory of root's with
// nothing in it.
const empty = "/run/rexec-tlsd"

// Bounds of this process. A record of TLS is 16 KB, and two connections are four
// directions.
const (
	mostFiles  = 32
	mostMemory = 64 << 20 // what Go keeps its heap below
)

// confine gives up every right that a relay does not need, for good. With uid -1
// this process is somebody's own already, and stays that.
func confine(uid, gid int) error {
	debug.SetMemoryLimit(mostMemory)
	limits := map[int]syscall.Rlimit{
		unix.RLIMIT_CORE:   {},
		unix.RLIMIT_FSIZE:  {},
		unix.RLIMIT_NOFILE: {Cur: mostFiles, Max: mostFiles},
	}
	for what, limit := range limits {
		if err := syscall.Setrlimit(what, &limit); err != nil {
			return os.NewSyscallError("setrlimit", err)
		}
	}
	if uid >= 0 {
		if err := become(uid, gid); err != nil {
			return fmt.Errorf("become the relay's account: %w", err)
		}
	}
	// Go's own threads have started by now, and each has flags of its own.
	for _, call := range []struct{ option, value uintptr }{{unix.PR_SET_NO_NEW_PRIVS, 1}, {unix.PR_SET_DUMPABLE, 0}} {
		if _, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, call.option, call.value, 0, 0, 0, 0); e != 0 {
			return os.NewSyscallError("prctl", e)
		}
	}
	return filter()
}

// become takes the account's ids, in a directory without a file.
func become(uid, gid int) error {
	if uid == 0 {
		return errors.New("it is root's")
	}
	if err := os.Mkdir(empty, 0o555); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	var st syscall.Stat_t
	if syscall.Lstat(empty, &st) != nil || st.Mode&(syscall.S_IFMT|0o022) != syscall.S_IFDIR || st.Uid != 0 {
		return fmt.Errorf("%s is not a directory of root's alone", empty)
	}
	if err := errors.Join(syscall.Chdir(empty), syscall.Chroot(".")); err != nil {
		return err
	}
	err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(gid, gid, gid), syscall.Setresuid(uid, uid, uid))
	if err != nil {
		return err
	}
	if syscall.Setuid(0) == nil {
		return errors.New("root can be taken back")
	}
	return nil
}

// denied are the calls by which a process that has been taken over would go on to
// others: it has all the descriptors that it needs, one account is everybody's relay,
// and nothing is left for it to execute.
var denied = []uint32{
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_SOCKET, unix.SYS_SOCKETPAIR,
	unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT4, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV,
	unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO,
	unix.SYS_PIDFD_OPEN,
	unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_BPF,
	unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_IO_URING_SETUP, unix.SYS_MOUNT, unix.SYS_MEMFD_CREATE, unix.SYS_SHMGET, unix.SYS_MSGGET, unix.SYS_SEMGET,
}

// Offsets in struct seccomp_data.
const (
	seccompNumber       = 0
	seccompArchitecture = 4
)

// filter refuses the denied calls with EPERM, and calls by another architecture's
// numbers, in all threads. A kernel without seccomp goes without.
func filter() error {
	arch, known := map[string]uint32{
		"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64,
		"ppc64le": unix.AUDIT_ARCH_PPC64LE, "s390x": unix.AUDIT_ARCH_S390X,
	}[runtime.GOARCH]
	if !known {
		return nil
	}
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	const refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	program := []unix.SockFilter{
		{Code: load, K: seccompArchitecture},
		{Code: equal, Jt: 1, K: arch},
		{Code: ret, K: refuse},
		{Code: load, K: seccompNumber},
	}
	if runtime.GOARCH == "amd64" { // x32's numbers have this bit
		const atLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		program = append(program, unix.SockFilter{Code: atLeast, Jf: 1, K: 0x40000000},
			unix.SockFilter{Code: ret, K: refuse})
	}
	// The runtime signals its own threads, and nobody else's.
	self := uint32(os.Getpid())
	program = append(program, unix.SockFilter{Code: equal, Jf: 4, K: unix.SYS_TGKILL},
		unix.SockFilter{Code: load, K: firstArgument()}, unix.SockFilter{Code: equal, Jt: 1, K: self},
		unix.SockFilter{Code: ret, K: refuse}, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
	for _, call := range append(denied, deniedHere...) {
		program = append(program, unix.SockFilter{Code: equal, Jf: 1, K: call}, unix.SockFilter{Code: ret, K: refuse})
	}
	program = append(program, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(program)
	if e == syscall.ENOSYS || e == syscall.EINVAL {
		return nil
	}
	return errnoOrNil(e)
}

// firstArgument is the offset of a call's first argument, of its lower half.
func firstArgument() uint32 {
	const arguments = 16
	if runtime.GOARCH == "s390x" {
		return arguments + 4
	}
	return arguments
}

func errnoOrNil(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return os.NewSyscallError("seccomp", e)
}
