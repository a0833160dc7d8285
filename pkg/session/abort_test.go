package session

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAbortWithoutAChildDoesNothing(t *testing.T) {
	if Abort() {
		t.Error("Abort() = true before any start")
	}
	output(t, sh("exit 0"))
	if Abort() {
		t.Error("Abort() = true after a start")
	}
}

// A peer's socket whose buffer is full holds the child in the sending of the
// status byte, with every signal blocked.
func TestAbortEndsAStartThatHangs(t *testing.T) {
	primary, theirs := pair(t)
	for block := make([]byte, 64<<10); ; {
		if _, err := unix.SendmsgN(theirs.Fd(), block, nil, nil, unix.MSG_DONTWAIT); err != nil {
			break
		}
	}
	c := sh("echo ran")
	c.Streams = Streams{theirs.Fd(), theirs.Fd(), theirs.Fd()}
	killed := make(chan bool)
	go func() {
		until := time.Now().Add(patienceOfTests)
		for !Abort() && time.Now().Before(until) {
			time.Sleep(time.Millisecond)
		}
		killed <- time.Now().Before(until)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := Start(c)
	if !<-killed {
		t.Fatal("Abort found no child")
	}
	if err != nil {
		return // noticed by Start
	}
	if status, err := p.end(); status.Signal != unix.SIGKILL || err != nil {
		t.Errorf("the child ended with %+v, %v; want killed", status, err)
	}
	primary.Close()
}

// A home on a file system that does not answer: FUSE without anybody behind it.
func TestAbortEndsAHomeThatDoesNotAnswer(t *testing.T) {
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

// inHome reports whether a child has come as far as its home.
func inHome() bool {
	starting.Lock()
	defer starting.Unlock()
	return starting.child != nil && Stage(starting.child.stage) == StageHome
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
		go func() {
			for !inHome() {
				time.Sleep(time.Millisecond)
			}
			Abort()
		}()
		c := sh("echo ran")
		c.Home = filepath.Join(dir, "home")
		_, err = Start(c)
		fmt.Println(err)
		return nil
	},
	"limits": limitsAlone, "memory": memoryAlone,
	"stop":   stopAlone,
	"traced": tracedAlone(true), "traced by root": tracedAlone(false),
	"groups": groupsAlone, "few ids": fewIDsAlone,
}
