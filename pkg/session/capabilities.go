package session

// #include "capabilities.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Capabilities is a set of them: bit n is the one with the number n.
type Capabilities uint64

// own is what waiting for a command takes by itself: the ids that its signals are
// sent with, the signal to it when this process is asked to stop, and what libpam,
// whatever the modules, reports of the session's end to the audit system (as root
// it takes a refusal there for a failure).
const own = 1<<unix.CAP_SETUID | 1<<unix.CAP_KILL | 1<<unix.CAP_AUDIT_WRITE

// CutCapabilities takes all capabilities but these, and the few that attending
// to a command takes, from every thread of this process, for good: permitted,
// effective and bounding set. What is inheritable and ambient goes altogether.
// It must be called on the thread that PAM is called on.
//
// syscall.AllThreadsSyscall refuses in a process with C in it, whose threads it
// does not know. /proc does.
func CutCapabilities(keep Capabilities) error {
	return cutter{list: threads, patience: 5 * time.Second}.cut(keep)
}

// A cutter cuts the capabilities of all threads.
type cutter struct {
	list     func() ([]string, error) // of the threads' numbers
	patience time.Duration            // how long a thread may take to be made and to be cut
}

func (c cutter) cut(keep Capabilities) error {
	sig, err := C.session_cut_on_signal(C.uint64_t(keep | own))
	if sig < 0 {
		return fmt.Errorf("cut capabilities: catch signal: %w", err)
	}
	// This thread first: what it cannot do none can.
	var failed error
	if _, err := C.session_cut(); err != nil {
		failed = fmt.Errorf("cut capabilities: %w", err)
	}
	if err := c.cutThreads(syscall.Signal(sig)); err != nil {
		return errors.Join(failed, fmt.Errorf("cut capabilities: %w", err))
	}
	return failed
}

// cutThreads sends the signal to each thread that has more than the calling one,
// until there is none: one that was not yet cut may have made another meanwhile.
//
// One clean listing proves nothing: a thread may have been made after its end by one
// that was cut before it was looked at. Such a thread is there before the next
// listing begins, so the second clean one in a row proves it, if it has as many
// threads as the kernel counts: one that ends can have another passed over.
func (c cutter) cutThreads(sig syscall.Signal) error {
	most, err := threadCapabilities(strconv.Itoa(unix.Gettid()))
	if err != nil {
		return err
	}
	signalled := map[string]bool{} // once each: signals of this kind are queued
	clean := 0                     // listings in a row
	for until := time.Now().Add(c.patience); ; {
		threads, err := c.list()
		if err != nil {
			return err
		}
		uncut, err := signalUncut(threads, most, sig, signalled)
		if err != nil {
			return err
		}
		switch {
		case uncut != "":
			clean = 0
		case clean == 0:
			clean = 1
			continue
		case threadCount() == len(threads):
			return nil
		default:
			uncut = "threads come and go"
		}
		if time.Now().After(until) {
			return errors.New(uncut)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil)
	}
}

// signalUncut signals those of the threads that have more than most, and names one.
func signalUncut(
	threads []string, most capabilitySets, sig syscall.Signal, signalled map[string]bool,
) (uncut string, err error) {
	for _, tid := range threads {
		has, err := threadCapabilities(tid)
		if err != nil {
			return "", err
		}
		if !has.exceed(most) {
			continue
		}
		uncut = fmt.Sprintf("thread %s of %d still has %x", tid, len(threads), has)
		if !signalled[tid] {
			n, _ := strconv.Atoi(tid)
			signalled[tid] = unix.Tgkill(unix.Getpid(), n, sig) == nil
		}
	}
	return uncut, nil
}

// threadCount is how many threads the kernel counts; 0 if that is not known.
func threadCount() int {
	text, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(text), "\nThreads:\t")
	number, _, _ := strings.Cut(after, "\n")
	n, _ := strconv.Atoi(number)
	return n
}

// threads are the numbers of this process's threads.
func threads() ([]string, error) {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Name()
	}
	return all, nil
}

// capabilitySets are those of one thread: inheritable, permitted, effective,
// bounding, ambient.
type capabilitySets [5]uint64

// exceed reports whether any set has more than the other thread's.
func (c capabilitySets) exceed(most capabilitySets) bool {
	for i := range c {
		if c[i]&^most[i] != 0 {
			return true
		}
	}
	return false
}

// threadCapabilities reads a thread's sets; one that has ended has none.
func threadCapabilities(tid string) (c capabilitySets, err error) {
	path := "/proc/self/task/" + tid + "/status"
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESRCH):
		return c, nil
	case err != nil:
		return c, err
	}
	_, lines, _ := strings.Cut(string(text), "\nCap")
	for i, name := range [len(c)]string{"Inh", "Prm", "Eff", "Bnd", "Amb"} {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		set, ok := strings.CutPrefix(strings.TrimPrefix(line, "Cap"), name+":\t")
		if c[i], err = strconv.ParseUint(set, 16, 64); !ok || err != nil {
			return c, fmt.Errorf("%s: Cap%s is %q", path, name, line)
		}
	}
	return c, nil
}
