package e2e

import (
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

// restartable is what ptrace(2) tells of a process's restartable sequences: the size of their area
// and its signature; 0: it has none, and glibc does not learn on which processor it runs.
func restartable(t testing.TB, pid string) [2]uint32 {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	n, _ := strconv.Atoi(pid)
	if err := unix.PtraceSeize(n); err != nil {
		t.Fatalf("process %s: %v", pid, err)
	}
	if err := unix.PtraceInterrupt(n); err != nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(n, &ws, unix.WALL, nil); err != nil || !ws.Stopped() {
		t.Fatalf("process %s: %v, %v", pid, ws, err)
	}
	var c struct {
		area                         uint64
		size, signature, flags, free uint32
	}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_RSEQ_CONFIGURATION, uintptr(n), unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c)), 0, 0)
	if err := unix.PtraceDetach(n); err != nil {
		t.Fatal(err)
	}
	if errno != 0 {
		t.Fatalf("PTRACE_GET_RSEQ_CONFIGURATION: %v", errno)
	}
	return [2]uint32{c.size, c.signature}
}

// Without it start_small would bring each handler to the processor of the zygote.
func TestAForkedHandlerKnowsItsProcessor(t *testing.T) {
	t.Parallel()
	forking, executing := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2"), stand(t, lab.Room{Stack: threaded(t)}, lab.Rexecd(t), nil, "-standby", "2")
	u := newUser(t, lab.User{})
	_, waiting := forking.forkedOnly(t, u)
	for _, pid := range waiting {
		if got, want := restartable(t, pid), restartable(t, executing.wantWaiting(t, 2)[0]); got != want {
			t.Errorf("restartable sequences: size, signature %x; of an executed handler %x", got, want)
		}
	}
	wantOut(t, forking.addr, request(u, "echo served"), "served\n")
}
