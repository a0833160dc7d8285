package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// throughput moves a lot of bytes through stdout, stderr and stdin of a command, in GB/s. A server that hands its
// sockets over runs at the kernel's speed; one that relays does not.
func throughput(f *figures, list []server, st stack, opt options) error {
	all, stop, err := startAll(list)
	if err != nil {
		return err
	}
	defer stop()
	size := pick[int64](opt, 1<<28, 1<<27)
	streams := []struct {
		name string
		run  func(port int, size int64) (time.Duration, error)
	}{{"stdout", pullStdout}, {"stderr", pullStderr}, {"stdin", pushStdin}}
	for round := range pick(opt, 25, 3) {
		for _, stream := range streams {
			for i := range all {
				r := all[(i+round)%len(all)]
				took, err := stream.run(r.port, size)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", stream.name, r.name, err)
				}
				if _, err := r.settle(); err != nil {
					return err
				}
				f.add(key{stream.name, r.name, st.name, plain}, float64(size)/1e9/took.Seconds())
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

func pullStdout(port int, size int64) (time.Duration, error) {
	return pull(port, size, fmt.Sprintf("head -c %d /dev/zero", size), false)
}

func pullStderr(port int, size int64) (time.Duration, error) {
	return pull(port, size, fmt.Sprintf("head -c %d /dev/zero >&2", size), true)
}

func pull(port int, size int64, command string, stderr bool) (time.Duration, error) {
	defer pinClient()()
	s, err := open(port, onServerCPU+command, stderr)
	if err != nil {
		return 0, err
	}
	defer s.close()
	fd := s.fd
	if stderr {
		fd = s.stderr
	}
	start := time.Now()
	n, err := drain(fd, make([]byte, chunk))
	took := time.Since(start)
	if err == nil && n != size {
		err = fmt.Errorf("got %d bytes of %d", n, size)
	}
	return took, err
}

func pushStdin(port int, size int64) (time.Duration, error) {
	defer pinClient()()
	s, err := open(port, onServerCPU+"cat >/dev/null; echo end", false)
	if err != nil {
		return 0, err
	}
	defer s.close()
	block := string(make([]byte, chunk))
	start := time.Now()
	for sent := int64(0); sent < size; sent += chunk {
		if err := writeAll(s.fd, block); err != nil {
			return 0, fmt.Errorf("send input: %w", err)
		}
	}
	if err := syscall.Shutdown(s.fd, syscall.SHUT_WR); err != nil {
		return 0, err
	}
	n, err := drain(s.fd, make([]byte, 64)) // "end" comes when the last byte was read
	if err == nil && n != 4 {
		err = fmt.Errorf("command answered %d bytes", n)
	}
	return time.Since(start), err
}
