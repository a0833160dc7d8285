package rig

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The super-server. inetd's own work is accept, fork, exec with the socket as descriptors 0, 1 and 2, and so is this;
// it is ours because every inetd refuses fast connections in its own way, and none can say what its children cost.
// The same for every server, its cost is in every figure alike. (Under systemd as process 1 the super-server is systemd.)

// super-servers hand out this soft limit; netkit closes every descriptor up to it, one by one.
const softFiles = 1024

type spawner struct {
	mu    sync.Mutex
	alive int
	idle  *sync.Cond
}

// Spawn serves the listening socket on descriptor 3: one process per connection. On standard input "idle" waits for
// every child to be reaped; each command is answered with what the reaped children have cost so far.
func Spawn(argv []string) {
	s := &spawner{}
	s.idle = sync.NewCond(&s.mu)
	var limit syscall.Rlimit
	must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = softFiles
	must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) // Go gives a limit that was set so to its children
	go s.control()
	runtime.LockOSThread()
	for {
		conn, _, err := syscall.Accept4(3, syscall.SOCK_CLOEXEC)
		if err == syscall.EINTR {
			continue
		}
		must(err)
		s.start(argv, conn)
		syscall.Close(conn)
	}
}

func (s *spawner) start(argv []string, conn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd := uintptr(conn)
	_, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Files: []uintptr{fd, fd, fd}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: start %s: %v\n", argv[0], err)
		return
	}
	if s.alive++; s.alive == 1 {
		go s.reap()
	}
}

// reap waits for children as long as there are any.
func (s *spawner) reap() {
	for {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		s.mu.Lock()
		if err == nil {
			s.alive--
		}
		done := s.alive == 0
		if done {
			s.idle.Broadcast()
		}
		s.mu.Unlock()
		if done {
			return
		}
	}
}

func (s *spawner) control() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		s.mu.Lock()
		for in.Text() == "idle" && s.alive > 0 {
			s.idle.Wait()
		}
		var ru syscall.Rusage
		must(syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ru))
		cpu := time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
		fmt.Printf("%d %d %d\n", cpu, ru.Minflt, s.alive)
		s.mu.Unlock()
	}
	os.Exit(0) // the benchmark is gone
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: super-server:", err)
		os.Exit(1)
	}
}

// Cost is what the children of a super-server have used so far.
type Cost struct {
	CPU    time.Duration
	Faults int64
	alive  int
}

func parseCost(line string) (c Cost, err error) {
	_, err = fmt.Sscan(line, &c.CPU, &c.Faults, &c.alive)
	return c, err
}

// TreeCPU is the processor time of a process and the children it has reaped, from /proc: for servers that are their
// own super-server. In steps of 10 ms, so only good for many connections.
func TreeCPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := statFields(string(stat))
	var ticks int64
	for _, f := range fields[11:15] { // utime stime cutime cstime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read stat of %d: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
