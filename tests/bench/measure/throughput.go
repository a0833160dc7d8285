package measure

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/tests/bench/rig"
)

// throughput moves a lot of bytes through stdout, stderr and stdin of a command, in GB/s. A server that hands its
// sockets over runs at the kernel's speed; one that relays does not.
func throughput(f *Figures, list []rig.Server, st rig.Stack, opt rig.Options) error {
	all, stop, err := rig.StartAll(list)
	if err != nil {
		return err
	}
	defer stop()
	size := rig.Pick[int64](opt, 1<<28, 1<<27)
	streams := []struct {
		name string
		run  func(at rig.Target, size int64) (time.Duration, error)
	}{{"stdout", pullStdout}, {"stderr", pullStderr}, {"stdin", pushStdin}}
	for round := range rig.Pick(opt, 25, 3) {
		for _, stream := range streams {
			for i := range all {
				r := all[(i+round)%len(all)]
				took, err := stream.run(r.Target, size)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", stream.name, r.Name, err)
				}
				if _, err := r.Settle(); err != nil {
					return err
				}
				f.add(Key{stream.name, r.Name, st.Name, Plain}, float64(size)/1e9/took.Seconds())
			}
		}
	}
	return nil
}

const chunk = 1 << 18

// Where the two ends happen to run moves the figures by a third, so each has a processor of its own.
var onServerCPU = func() string {
	if runtime.NumCPU() < 2 {
		return ""
	}
	return "taskset -p -c 1 $$ >/dev/null; "
}()

// pinClient keeps this thread on the first processor until the function it returns is called.
func pinClient() (undo func()) {
	runtime.LockOSThread()
	var all, first unix.CPUSet
	first.Set(0)
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 || unix.SchedSetaffinity(0, &first) != nil {
		return runtime.UnlockOSThread
	}
	return func() {
		_ = unix.SchedSetaffinity(0, &all)
		runtime.UnlockOSThread()
	}
}

func pullStdout(at rig.Target, size int64) (time.Duration, error) {
	return pull(at, size, fmt.Sprintf("head -c %d /dev/zero", size), false)
}

func pullStderr(at rig.Target, size int64) (time.Duration, error) {
	return pull(at, size, fmt.Sprintf("head -c %d /dev/zero >&2", size), true)
}

func pull(at rig.Target, size int64, command string, stderr bool) (time.Duration, error) {
	defer pinClient()()
	s, err := at.Open(onServerCPU+command, stderr)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	fd := s.FD
	if stderr {
		fd = s.Stderr
	}
	start := time.Now()
	n, err := rig.Drain(fd, make([]byte, chunk))
	took := time.Since(start)
	if err == nil && n != size {
		err = fmt.Errorf("got %d bytes of %d", n, size)
	}
	return took, err
}

func pushStdin(at rig.Target, size int64) (time.Duration, error) {
	defer pinClient()()
	s, err := at.Open(onServerCPU+"cat >/dev/null; echo end", false)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	block := string(make([]byte, chunk))
	start := time.Now()
	for sent := int64(0); sent < size; sent += chunk {
		if err := rig.WriteAll(s.FD, block); err != nil {
			return 0, fmt.Errorf("send input: %w", err)
		}
	}
	if err := syscall.Shutdown(s.FD, syscall.SHUT_WR); err != nil {
		return 0, err
	}
	n, err := rig.Drain(s.FD, make([]byte, 64)) // "end" comes when the last byte was read
	if err == nil && n != 4 {
		err = fmt.Errorf("command answered %d bytes", n)
	}
	return time.Since(start), err
}
