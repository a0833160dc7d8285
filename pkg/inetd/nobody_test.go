package inetd

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("needs root")
	}
	t.Skip("needs root")
}

func TestSocketsMadeAsNobodyAreNotRoots(t *testing.T) {
	needRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, dumpable := range []int{0, 1} {
		unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(dumpable), 0, 0, 0)
		if got := madeAsNobody(); got != "4294967294 4294967294, then 0 0, dumpable 0" {
			t.Errorf("dumpable %d before: %s", dumpable, got)
		}
	}
}

// madeAsNobody is whose a socket is, and what the thread has afterwards.
func madeAsNobody() string {
	fd := -1
	AsNobody(func() { fd, _ = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) })
	defer unix.Close(fd)
	var st unix.Stat_t
	unix.Fstat(fd, &st)
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	return fmt.Sprintf("%d %d, then %d %d, dumpable %d", st.Uid, st.Gid, fsid(sysSetfsuid, invalidID), fsid(sysSetfsgid, invalidID), dumpable)
}

// A container has 65,536 ids, or fewer.
func TestNobodyIsAnIDOfTheNamespace(t *testing.T) {
	needRoot(t)
	for size, want := range map[int]string{
		1 << 16: "65535 65535, then 0 0, dumpable 0",
		65535:   "65534 65534, then 0 0, dumpable 0",
		1000:    "0 0, then 0 0", // none of them: as it is
	} {
		ids := []syscall.SysProcIDMap{{Size: size}}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "INETD_TEST=nobody", "GOCOVERDIR="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids,
			GidMappings: ids, GidMappingsEnableSetgroups: true}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("of %d ids: %s, %v; want %s", size, out, err, want)
		}
	}
}
