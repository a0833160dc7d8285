package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watched is a process whose first thread does one of the activities in watchedActs until
// its time is over.
func watched(t *testing.T, act string) (printed string, status *os.ProcessState) {
	t.Helper()
	cmd := exec.Command("/bin/bash", "-c", `exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), "SESSION_TEST=watched", "SESSION_ACT="+act, "GOCOVERDIR="+t.TempDir())
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState
}

// What a call does that never returns.
var watchedActs = map[string]func(){
	"sleeps": func() {},
	"spins": func() {
		for {
			unix.Getppid()
		}
	},
	"has every signal blocked": func() {
		all := unix.Sigset_t{}
		for i := range all.Val {
			all.Val[i] = ^all.Val[i]
		}
		unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil)
	},
	"has a timer of its own": func() {
		hour := unix.Timeval{Sec: 3600}
		unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: hour, Interval: hour})
	},
	"has no limit left": func() {
		for _, which := range []int{unix.RLIMIT_FSIZE, unix.RLIMIT_NPROC, unix.RLIMIT_AS, unix.RLIMIT_STACK,
			unix.RLIMIT_DATA, unix.RLIMIT_MEMLOCK} {
			unix.Prlimit(0, which, &unix.Rlimit{Max: unix.RLIM_INFINITY}, nil)
		}
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 1 << 19}, nil)
	},
	"has another directory": func() {
		if os.Geteuid() == 0 {
			os.Chdir("/proc")
		}
	},
	"has closed the standard descriptors": func() {
		for fd := range 3 {
			unix.Close(fd)
		}
	},
	"has taken the signals": func() { takeSignals() },
}

// takeSignals ignores all signals, behind the back of Go's runtime.
func takeSignals() {
	ignore := [8]uint64{1} // SIG_IGN comes first in the kernel's struct sigaction
	for sig := 1; sig <= 64; sig++ {
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0)
	}
}

// aloneWatched is one of watchedActs: the peer of a socket sees when it is closed.
func aloneWatched() error {
	ours, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	out, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return err
	}
	w := &Watchdog{Argv: []string{os.Args[0]}, Env: []string{"SESSION_TEST=report"}, Stderr: out, last: time.Second}
	SaveLimits()
	if err := w.Arm(200 * time.Millisecond); err != nil {
		return err
	}
	report := strings.Repeat("0123456789", 20_000) // more than a pipe holds
	return w.Call([]byte(report), ours[0], ours[1], func() error {
		watchedActs[os.Getenv("SESSION_ACT")]()
		for {
			unix.Ppoll(nil, nil, nil)
		}
	})
}

// What comes to its end as its time does has either ended or is reported, and not both.
func TestACallIsReportedOrHasEnded(t *testing.T) {
	for range 20 {
		printed := again(t, "race", `exec "$0"`, nil)
		n := strings.Count(printed, "+") // the calls that have ended
		if want := fmt.Sprintf("report %d", n); strings.TrimLeft(printed, "+") != want {
			t.Errorf("after %d calls: %q; want %q", n, printed, want)
		}
	}
}

func aloneRace() error {
	w := &Watchdog{Argv: []string{os.Args[0]}, Env: []string{"SESSION_TEST=raced"}, Stderr: 2}
	for n := 0; ; n++ {
		if err := w.Arm(time.Millisecond); err != nil {
			return err
		}
		until := time.Now().Add(time.Millisecond - time.Duration(n%7)*time.Microsecond)
		_ = w.Call([]byte(strconv.Itoa(n)), -1, -1, func() error {
			for time.Now().Before(until) {
			}
			return nil
		})
		unix.Write(1, []byte("+"))
	}
}

// aloneReport is the reporter.
func aloneReport() error {
	text, err := io.ReadAll(io.NewSectionReader(os.Stdin, 0, 1<<20))
	if err != nil {
		return err
	}
	for _, which := range []int{unix.RLIMIT_FSIZE, unix.RLIMIT_AS} {
		var now unix.Rlimit
		if unix.Prlimit(0, which, nil, &now); now.Cur == 0 {
			fmt.Fprint(os.Stderr, "limited ")
		}
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	mask, _ := os.ReadFile("/proc/thread-self/status")
	_, mask, _ = bytes.Cut(mask, []byte("SigBlk:\t"))
	fmt.Fprintf(os.Stderr, "%d bytes, %d descriptors, mask %.16s", len(text), len(entries)-1, mask)
	os.Exit(7)
	return nil
}

// Whatever a call does while it hangs, its end is reported, and the process ends with
// the reporter's status. Short of what only malice does: then it is killed.
func TestACallThatHangsIsReportedAndEndsTheProcess(t *testing.T) {
	for act := range watchedActs {
		t.Run(act, func(t *testing.T) {
			began := time.Now()
			printed, end := watched(t, act)
			if took := time.Since(began); took < 200*time.Millisecond || took > patienceOfTests {
				t.Errorf("it took %v", took)
			}
			if act == "has taken the signals" {
				if ws := end.Sys().(syscall.WaitStatus); ws.Signal() != unix.SIGKILL {
					t.Errorf("it ended with %v; want killed", end)
				}
				return
			}
			// The poller of the reporter's own os.ReadDir has two descriptors.
			if !strings.HasPrefix(printed, "200000 bytes, ") || !strings.HasSuffix(printed, "mask 0000000000000000") || end.ExitCode() != 7 {
				t.Errorf("it ended with %v, the reporter printed %q", end, printed)
			}
		})
	}
}

func TestACallThatReturnsInTimeIsNotReported(t *testing.T) {
	if got := again(t, "in time", `exec "$0"`, nil); got != "x" {
		t.Errorf("%q", got)
	}
}

func aloneInTime() error {
	w := &Watchdog{Argv: []string{"/nonexistent"}, last: 150 * time.Millisecond}
	if err := w.Arm(-10 * time.Second); err != nil { // over since the clock was last looked at
		return err
	}
	for range 3 {
		if err := w.Arm(50 * time.Millisecond); err != nil {
			return err
		}
		wrong := errors.New("x")
		if err := w.Call(nil, -1, -1, func() error { return wrong }); err != wrong {
			return fmt.Errorf("%w: %w", errWrong, err)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 120e6}, nil) // the time is over, with nothing to end
		w.Disarm()
		unix.Nanosleep(&unix.Timespec{Nsec: 100e6}, nil) // and so would be the last of it
	}
	fmt.Println("x")
	return nil
}

// A peer's socket whose buffer is full holds the child in the sending of the
// status byte, with every signal blocked.
func TestTheWatchdogEndsAStartThatHangs(t *testing.T) {
	if got := again(t, "full", `exec "$0"`, nil); got != "killed" {
		t.Error(got)
	}
}

func aloneFull() error {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for block := make([]byte, 64<<10); ; {
		if _, err := unix.SendmsgN(p[0], block, nil, nil, unix.MSG_DONTWAIT); err != nil {
			break
		}
	}
	c := sh("echo ran")
	c.Streams = Streams{p[0], p[0], p[0]}
	var process *Process
	err = guarded(func() (err error) { process, err = Start(c); return err })
	if err == nil { // the kill came after the stage was set
		var status Status
		if status, err = process.end(); status.Signal != unix.SIGKILL || err != nil {
			return fmt.Errorf("the child ended with %+v, %v: %w", status, err, errWrong)
		}
	}
	fmt.Println("killed")
	return nil
}

// guarded runs f with little time.
func guarded(f func() error) error {
	w := &Watchdog{Argv: []string{"/nonexistent"}}
	if err := w.Arm(100 * time.Millisecond); err != nil {
		return err
	}
	defer w.Disarm()
	return w.Start(nil, -1, -1, f)
}

// A home on a file system that does not answer: FUSE without anybody behind it.
func TestTheWatchdogEndsAHomeThatDoesNotAnswer(t *testing.T) {
	needRoot(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		const lacking = "needs /dev/fuse: no other file system here can be made to hang"
		if os.Getenv("CI") != "" {
			t.Fatal(lacking)
		}
		t.Skip(lacking)
	}
	attr := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if got := again(t, "hang", `exec "$0"`, attr); got != "enter home directory: interrupted system call" {
		t.Errorf("Start = %s", got)
	}
}

// alone are the parts of tests that want a process of their own.
var alone = map[string]func() error{
	"identity": func() error {
		c := sh("echo ran").as(someUID + 1)
		_, err := Start(c)
		fmt.Println(err)
		return nil
	},
	"hang": func() error {
		dir, err := os.MkdirTemp("", "rexecd-hang-")
		if err != nil {
			return err
		}
		defer os.Remove(dir)
		fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Mount("fuse", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse)); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
		defer unix.Unmount(dir, unix.MNT_DETACH)
		c := sh("echo ran")
		c.Home = filepath.Join(dir, "home")
		fmt.Println(guarded(func() error { _, err := Start(c); return err }))
		return nil
	},
	"watched": aloneWatched, "race": aloneRace, "raced": func() error {
		text, err := io.ReadAll(io.NewSectionReader(os.Stdin, 0, 1<<20))
		fmt.Fprintf(os.Stderr, "report %s", text)
		return err
	}, "report": aloneReport, "in time": aloneInTime, "full": aloneFull, "spare": aloneSpare,
	"limits": limitsAlone, "memory": memoryAlone,
	"stop":   stopAlone,
	"traced": tracedAlone(true), "traced by root": tracedAlone(false),
	"groups": groupsAlone, "few ids": fewIDsAlone,
}

// Goroutines that block at the same time have a thread each.
func TestSpareThreadsAreMadeBeforeTheyAreNeeded(t *testing.T) {
	if got := again(t, "spare", `GOMAXPROCS=1 exec "$0"`, nil); got != "" {
		t.Error(got)
	}
}

func aloneSpare() error {
	SpareThreads(2)
	all, err := threads()
	// The first one, the monitor and the template run no goroutines but the main one.
	if len(all) < 3+2 {
		err = errors.Join(err, fmt.Errorf("%d threads: %w", len(all), errWrong))
	}
	return err
}
