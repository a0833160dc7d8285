package session

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	alone["cut one missed"] = cutMissedAlone
	alone["cut"], alone["cut one late"], alone["cut without cap_setpcap"] = cutAlone, cutLateAlone, cutInPartAlone
}

// kept is what is left of all where cap_chown is to be kept.
const kept = 1<<unix.CAP_CHOWN | 1<<unix.CAP_SETUID | 1<<unix.CAP_KILL | 1<<unix.CAP_AUDIT_WRITE

// cutPatiently is CutCapabilities on a busy machine.
var cutPatiently = cutter{threads, patienceOfTests}

func TestCapabilitiesAreCutInEveryThread(t *testing.T) {
	needRoot(t)
	again(t, "cut", `exec setpriv --inh-caps +chown,+net_raw --ambient-caps +chown,+net_raw "$0"`, nil)
}

func cutAlone() error {
	groups := make([]int, 3000) // a line in /proc/PID/status that is longer than a page
	for i := range groups {
		groups[i] = 100_000 + i
	}
	if err := SetGroups(someUID, groups); err != nil {
		return err
	}
	before := setsOf(os.ReadFile("/proc/thread-self/status"))
	if before[0] == 0 || before[4] == 0 {
		return fmt.Errorf("sets %x: nothing is inheritable or ambient: %w", before, errWrong)
	}
	command, output, err := reportsItsSets()
	if err != nil {
		return err
	}
	endThreads, err := occupyThreads()
	if err != nil {
		return err
	}
	if err := cutPatiently.cut(1 << unix.CAP_CHOWN); err != nil {
		return err
	}
	if err := endThreads(); err != nil {
		return err
	}
	want := capabilitySets{0, before[1] & kept, before[2] & kept, before[3] & kept, 0}
	if err := everyThreadHas(want); err != nil {
		return err
	}
	// A program that root executes, as pam_exec does, gets no more.
	if got := setsOf(exec.Command("cat", "/proc/self/status").Output()); got != want {
		return fmt.Errorf("a program of root's has %x; want %x: %w", got, want, errWrong)
	}
	// The command has what it was started with, and can still be signalled.
	command.kill(unix.SIGUSR1)
	if got, want := setsOf(output()), (capabilitySets{0: before[0], 3: before[3]}); got != want {
		return fmt.Errorf("the command has %x; want %x: %w", got, want, errWrong)
	}
	if _, err := command.end(); err != nil {
		return err
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); dumpable != 0 || err != nil {
		return fmt.Errorf("dumpable %d, %v: %w", dumpable, err, errWrong)
	}
	return everyThreadHas(want) // this one, which was the user meanwhile, among them
}

// A thread can be made behind the end of a listing, by one that is cut before it is looked at.
func TestAThreadThatOneListingMissesIsCutAllTheSame(t *testing.T) {
	needRoot(t)
	again(t, "cut one missed", `exec "$0"`, nil)
}

func cutMissedAlone() error {
	endThreads, err := occupyThreads()
	if err != nil {
		return err
	}
	listed := 0
	missing := func() ([]string, error) {
		listed++
		if listed == 1 {
			return []string{strconv.Itoa(unix.Gettid())}, nil // of them all, this one alone
		}
		return threads()
	}
	err = cutter{missing, patienceOfTests}.cut(0)
	if err := errors.Join(err, endThreads()); err != nil {
		return err
	}
	sets, err := threadCapabilities(strconv.Itoa(unix.Gettid()))
	if err != nil {
		return err
	}
	return everyThreadHas(sets)
}

// reportsItsSets is a command of the tests' user that reports its sets upon SIGUSR1.
func reportsItsSets() (p *Process, output func() ([]byte, error), err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	c := sh(`trap 'cat /proc/self/status; exit 0' USR1; echo; while [ -d /proc/$PPID ]; do sleep 0.01; done`).as(someUID)
	c.Streams = Streams{fds[1], fds[1], fds[1]}
	if p, err = Start(c); err != nil {
		return nil, nil, err
	}
	unix.Close(fds[1])
	read := func() (b []byte, err error) {
		for buf := make([]byte, 4096); ; {
			n, err := unix.Read(fds[0], buf)
			if n <= 0 || err != nil {
				return b, err
			}
			if b = append(b, buf[:n]...); string(b) == "\x00\n" { // the trap is set
				return b, nil
			}
		}
	}
	if b, err := read(); err != nil || string(b) != "\x00\n" {
		return nil, nil, fmt.Errorf("the command sent %q, %v", b, err)
	}
	return p, read, nil
}

// occupyThreads makes threads that sleep, that compute, and one that makes more,
// which end soon. end stops them and reports whether a read was left in order.
func occupyThreads() (end func() error, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	var stop atomic.Bool
	onThread := func(f func()) {
		up := make(chan bool)
		go func() {
			runtime.LockOSThread()
			up <- true
			f()
		}()
		<-up
	}
	read := make(chan error)
	onThread(func() {
		_, err := syscall.Read(p[0], make([]byte, 1)) // no loop around EINTR
		read <- err
	})
	onThread(func() { select {} })
	onThread(func() {
		for !stop.Load() {
		}
	})
	onThread(func() {
		for !stop.Load() {
			onThread(func() {})
			time.Sleep(time.Millisecond)
		}
	})
	return func() error {
		stop.Store(true)
		if _, err := unix.Write(p[1], []byte{0}); err != nil {
			return err
		}
		if err := <-read; err != nil {
			return fmt.Errorf("a read of another thread: %w", err)
		}
		return nil
	}, nil
}

var capLines = regexp.MustCompile(`(?m)^Cap(?:Inh|Prm|Eff|Bnd|Amb):\t([0-9a-f]{16})\n`)

// setsOf finds the sets in a status file; all ones where there are none.
func setsOf(status []byte, err error) (c capabilitySets) {
	lines := capLines.FindAllSubmatch(status, -1)
	if len(lines) != len(c) || err != nil {
		return capabilitySets{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	}
	for i, l := range lines {
		fmt.Sscanf(string(l[1]), "%x", &c[i])
	}
	return c
}

// everyThreadHas compares the sets of all threads there are.
func everyThreadHas(want capabilitySets) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) < 2 {
		return fmt.Errorf("%d threads, %v: %w", len(tasks), err, errWrong)
	}
	for _, task := range tasks {
		status, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if got := setsOf(status, err); got != want && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("a thread has %x; want %x: %w", got, want, errWrong)
		}
	}
	return nil
}

// A thread of a module's that blocks every signal is reported, and cut when it no longer does.
func TestAThreadThatCannotBeCutIsNamed(t *testing.T) {
	needRoot(t)
	again(t, "cut one late", `exec "$0"`, nil)
}

func cutLateAlone() error {
	before := setsOf(os.ReadFile("/proc/thread-self/status"))
	tid, unblock, unblocked := make(chan int), make(chan bool), make(chan error)
	go func() {
		runtime.LockOSThread()
		var all unix.Sigset_t
		for i := range all.Val {
			all.Val[i] = ^all.Val[i]
		}
		err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, nil)
		tid <- unix.Gettid()
		<-unblock
		unblocked <- errors.Join(err, unix.PthreadSigmask(unix.SIG_UNBLOCK, &all, nil))
		select {}
	}()
	late := fmt.Sprint("thread ", <-tid, " of ")
	err := cutter{threads, 300 * time.Millisecond}.cut(0)
	if err == nil || !strings.Contains(err.Error(), late) || strings.Contains(err.Error(), "\n") {
		return fmt.Errorf("CutCapabilities = %v; want an error that names %q: %w", err, late, errWrong)
	}
	unblock <- true
	if err := <-unblocked; err != nil {
		return err
	}
	return everyThreadHas(capabilitySets{0, before[1] & own, before[2] & own, before[3] & own, 0})
}

// A container's root may lack the right to change the bounding set.
func TestWhatCanBeCutIsCutAndTheRestIsTold(t *testing.T) {
	needRoot(t)
	if got := again(t, "cut without cap_setpcap", `exec setpriv --bounding-set -setpcap --inh-caps -all "$0"`, nil); got != "cut capabilities: operation not permitted" {
		t.Errorf("CutCapabilities = %s", got)
	}
}

func cutInPartAlone() error {
	before := setsOf(os.ReadFile("/proc/thread-self/status"))
	began := time.Now()
	fmt.Println(cutPatiently.cut(0)) // nothing is waited for that cannot be
	if took := time.Since(began); took >= patienceOfTests {
		return fmt.Errorf("took %v: %w", took, errWrong)
	}
	return everyThreadHas(capabilitySets{0, before[1] & own, before[2] & own, before[3], 0})
}
