package session

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLimitsThatASessionSetAreTakenOffTheParentAgain(t *testing.T) {
	again(t, "limits", `exec "$0"`, nil)
}

// A limit on memory must not be the end of the parent that still has to close the
// session. The heap begins anywhere in its first piece: of so many processes some
// would have to grow it. They have one processor, as in.rexecd has: a second one
// wants a thread of its own at any time.
func TestALimitOnMemoryDoesNotEndTheParent(t *testing.T) {
	for range 15 {
		again(t, "memory", `GOMAXPROCS=1 exec "$0"`, nil)
	}
}

func memoryAlone() error {
	limits := SaveLimits()
	// Far under what is mapped: a limit that is read off /proc can hold what a
	// starting thread gives back at once (malloc maps twice its arena to have an
	// aligned half).
	now := unix.Rlimit{Cur: heapRoom, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(0, unix.RLIMIT_AS, &now, nil); err != nil {
		return err
	}
	if _, err := unix.Mmap(-1, 0, heapPiece, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); err == nil {
		return fmt.Errorf("memory could be had: %w", errWrong)
	}
	var held [][]byte
	for range 512 { // 512 KB
		held = append(held, make([]byte, 1<<10))
	}
	runtime.KeepAlive(held)
	limits.Restore()
	return nil
}

func limitsAlone() error {
	lower := func(which int, to unix.Rlimit) error {
		var l unix.Rlimit
		if err := unix.Prlimit(0, which, nil, &l); err != nil {
			return err
		}
		l.Cur, l.Max = min(l.Cur, to.Cur), min(l.Max, to.Max)
		return unix.Prlimit(0, which, &l, nil)
	}
	// What was lowered for good needs cap_sys_resource to be raised again: without,
	// only the soft limits are tried.
	hard := uint64(unix.RLIM_INFINITY)
	var core unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_CORE, nil, &core); err != nil {
		return err
	}
	if err := lower(unix.RLIMIT_CORE, unix.Rlimit{Cur: 1 << 20, Max: 1 << 30}); err != nil {
		return err
	}
	if unix.Prlimit(0, unix.RLIMIT_CORE, &core, nil) == nil {
		hard = 1 << 40
	}
	before := SaveLimits()
	for _, which := range []int{unix.RLIMIT_NOFILE, unix.RLIMIT_FSIZE, unix.RLIMIT_NPROC, unix.RLIMIT_AS,
		unix.RLIMIT_CPU, unix.RLIMIT_STACK} {
		if err := lower(which, unix.Rlimit{Cur: 1 << 39, Max: hard}); err != nil {
			return err
		}
	}
	if now := SaveLimits(); now == before {
		return fmt.Errorf("no limit was lowered: %w", errWrong)
	}
	before.Restore()
	if after := SaveLimits(); after != before {
		return fmt.Errorf("limits %+v; want %+v: %w", after, before, errWrong)
	}
	// A value that saved nothing changes nothing.
	Limits{}.Restore()
	if after := SaveLimits(); after != before {
		return fmt.Errorf("limits %+v after the restoring of none: %w", after, errWrong)
	}
	return softLimitsAlone(before, lower)
}

// softLimitsAlone is without cap_sys_resource: the soft limit goes as far as it can.
func softLimitsAlone(before Limits, lower func(int, unix.Rlimit) error) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_SYS_RESOURCE
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	if err := lower(unix.RLIMIT_FSIZE, unix.Rlimit{Cur: 1 << 30, Max: 1 << 39}); err != nil {
		return err
	}
	before.Restore()
	var now unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_FSIZE, nil, &now); err != nil ||
		now.Cur != min(1<<39, before.limits[unix.RLIMIT_FSIZE].Cur) {
		return fmt.Errorf("limit %+v, %v; want the soft one at the hard one: %w", now, err, errWrong)
	}
	return nil
}

// Only the calling thread's groups change, and the command inherits them.
func TestGroupsAreTheCommandsAndNobodyElses(t *testing.T) {
	needRoot(t)
	got := again(t, "groups", `exec "$0"`, nil)
	want := "Uid:\t54321\t54321\t54321\t54321\nGid:\t54321\t54321\t54321\t54321\nGroups:\t7 54321 70000 \n" +
		"CapPrm:\t0000000000000000\nCapEff:\t0000000000000000"
	if got != want {
		t.Errorf("the command has\n%s\nwant\n%s", got, want)
	}
}

func groupsAlone() error {
	if err := SetGroups(someUID, []int{someUID, 70000, 7}); err != nil {
		return err
	}
	other := make(chan error)
	go func() {
		runtime.LockOSThread()
		groups, err := unix.Getgroups()
		if err == nil && (unix.Getgid() != 0 || len(groups) != 0 && strings.Contains(fmt.Sprint(groups), "70000")) {
			err = fmt.Errorf("another thread has group %d and %v: %w", unix.Getgid(), groups, errWrong)
		}
		other <- err
	}()
	if err := <-other; err != nil {
		return err
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); dumpable != 0 || err != nil {
		return fmt.Errorf("dumpable %d, %v: %w", dumpable, err, errWrong)
	}
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c := &Command{Shell: "/bin/grep", Argv: []string{"grep", "-E", "^(Uid|Gid|Groups|CapPrm|CapEff)", "/proc/self/status"}, Home: "/", Streams: Streams{p[1], p[1], 2}}
	process, err := Start(c.as(someUID))
	if err != nil {
		return err
	}
	unix.Close(p[1])
	out := make([]byte, 0, 4096)
	for {
		n, err := unix.Read(p[0], out[len(out):cap(out)])
		if err != nil || n == 0 {
			break
		}
		out = out[:len(out)+n]
	}
	_, err = process.end()
	fmt.Print(strings.TrimPrefix(string(out), "\x00"))
	return err
}
