package inetd

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Release gives up this process's share of connections that the command has
// used, once the peer has acknowledged all that was written to them. A close
// before that is met by the peer's next byte of input, or by one that nobody has
// read, with a reset, and the kernel throws the rest of the output away. Where the
// peer has ended its stream, and all of it has been read, there is no such byte: then
// it is enough that the output has been sent.
//
// A process of the user's can keep a socket's lock for as long as it likes: by
// sending from memory whose pages are in a file system of the user's own. So what
// takes that lock is done by other goroutines, and without Shutdown nothing is.
type Release struct {
	// Shutdown ends the connections for everybody who still has them, after
	// their output, and drops the input. Without, input is left alone: it may be
	// a background child's.
	Shutdown bool
	// DropInput drops what has arrived on the first connection, of which nobody else
	// reads the input: a close would answer it with a reset. Shutdown does so as well.
	DropInput bool
	// Stop, unless 0, is a descriptor that is readable once this process is asked to
	// stop. Then, or if Stopped is set because it was asked before, the wait is short.
	Stop    int
	Stopped bool

	stall time.Duration // ends the wait; 0 is stallTime
	conns []*Conn
	shut  []*shutting // with Shutdown, one for each of conns
}

const (
	// stallTime is how long nothing may be acknowledged. The kernel repeats what was
	// lost after ever longer times, each twice the one before: this is what it takes
	// to find out that an outage of twenty seconds is over.
	stallTime = 45 * time.Second
	// releaseTime is for what should be done at once: a stop, a call that may hang,
	// the peer's close after ours.
	releaseTime = 2 * time.Second
	// beginTime is longer than TCP delays an acknowledgement (TCP_DELACK_MIN).
	beginTime = 50 * time.Millisecond
)

// Begin begins to release the connections; those that are nil or closed are passed
// over. It returns soon: what the peer has acknowledged by then is closed, so that
// a peer need not wait for what this process still has to do.
func (r *Release) Begin(conns ...*Conn) {
	for _, c := range conns {
		if c != nil && c.fd >= 0 {
			r.conns = append(r.conns, c)
		}
	}
	if r.Shutdown {
		for _, c := range r.conns {
			r.shut = append(r.shut, c.shutDown())
		}
		return
	}
	if r.DropInput && len(r.conns) > 0 {
		if c := r.conns[0]; !c.dropInput().wait(releaseTime) {
			c.fd = -1 // a lock that cannot be had; the end of the process releases it
		}
	}
	r.wait(beginTime)
}

// Finish waits for the rest, and releases it. A connection whose lock cannot be had
// in time is left to the end of the process.
func (r *Release) Finish() {
	late := time.Now().Add(releaseTime)
	for _, s := range r.shut {
		s.begun.wait(time.Until(late)) // from here on the end of the stream is waited for as well
	}
	if r.wait(0) {
		late = time.Now().Add(releaseTime)
		for _, s := range r.shut {
			s.peerClosed.wait(time.Until(late)) // or a reset could still throw away what it has not read
		}
	}
	for _, s := range r.shut {
		s.enough.Store(true)
	}
	late = time.Now().Add(releaseTime)
	for i, c := range r.conns {
		switch {
		case c.fd < 0:
		case r.Shutdown && !r.shut[i].over.wait(time.Until(late)), c.lingers() && !c.unlinger():
			c.fd = -1
		default:
			c.interrupted(c.Close)
		}
	}
}

// wait waits until everything is acknowledged, for at most d unless that is 0, and
// reports whether it is. Without Shutdown each connection is closed as soon as its
// own output is: a client that reads one to its end before it looks at the other
// waits for that. It takes no lock.
func (r *Release) wait(d time.Duration) bool {
	stall := r.stall
	if stall == 0 {
		stall = stallTime
	}
	fds := []unix.PollFd{{Fd: -1, Events: unix.POLLIN}}
	if r.Stop > 0 && !r.Stopped {
		fds[0].Fd = int32(r.Stop)
	}
	progress := time.Now()
	var until time.Time
	switch {
	case d > 0:
		until = progress.Add(d)
	case r.Stopped:
		until = progress.Add(releaseTime)
	}
	before := make([]int, len(r.conns))
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		left := 0
		for i, c := range r.conns {
			n := c.unacknowledged()
			// No input can come after a close, and TCP repeats what is lost without
			// anybody: no reason to wait for a peer that delays its acknowledgement.
			if n > 0 && !r.Shutdown && c.sent() && c.Ended() {
				n = 0
			}
			if n < before[i] {
				progress = time.Now()
			}
			before[i], left = n, left+n
			if n == 0 && !r.Shutdown && c.fd >= 0 && !c.lingers() {
				c.interrupted(c.Close)
			}
		}
		now := time.Now()
		switch {
		case left == 0:
			return true
		case now.Sub(progress) >= stall, !until.IsZero() && now.After(until):
			return false
		}
		ts := unix.NsecToTimespec(pause.Nanoseconds())
		if n, _ := unix.Ppoll(fds, &ts, nil); n > 0 {
			r.Stopped, fds[0].Fd, until = true, -1, now.Add(releaseTime)
		}
	}
}

// unacknowledged is how many bytes the peer has not acknowledged, the end of the
// stream counted as one; none of a connection that has been lost. It takes no lock.
func (c *Conn) unacknowledged() int {
	if c.fd < 0 {
		return 0
	}
	n, err := unix.IoctlGetInt(c.fd, unix.TIOCOUTQ)
	if err != nil || n == 0 {
		return 0
	}
	// A reset empties the queue, and leaves that number as it was.
	const wmemQueued = 5 // SK_MEMINFO_WMEM_QUEUED of linux/sock_diag.h
	var info [9]uint32   // SK_MEMINFO_VARS
	size := uint32(unsafe.Sizeof(info))
	_, _, e := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(c.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if e == 0 && size/4 > wmemQueued && info[wmemQueued] == 0 {
		return 0
	}
	return n
}

// A shutting is a connection that is being shut down, by a goroutine of its own
// since its calls take the socket's lock.
type shutting struct {
	begun, peerClosed, over event
	enough                  atomic.Bool
}

// An event is waited for, for a time.
type event chan struct{}

func (e event) wait(d time.Duration) bool {
	select {
	case <-e:
		return true
	case <-time.After(max(d, 0)):
		return false
	}
}

// shutDown ends the stream to the peer and drops what the peer sends until it has
// closed as well, or until it is enough.
func (c *Conn) shutDown() *shutting {
	s := &shutting{begun: make(event), peerClosed: make(event), over: make(event)}
	fd := c.fd
	go func() {
		unix.Shutdown(fd, unix.SHUT_WR)
		close(s.begun)
		for !s.enough.Load() {
			if !dropArrived(fd) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		close(s.peerClosed)
		dropArrived(fd)
		unix.Shutdown(fd, unix.SHUT_RDWR)
		close(s.over)
	}()
	return s
}

// dropArrived reads and forgets what is there, and reports whether more may come.
// What a peer sends without a pause is dropped at a bounded rate.
func dropArrived(fd int) bool {
	buf := make([]byte, 64<<10)
	for range 16 {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			return true
		case err == unix.EINTR:
		case err != nil || n == 0:
			return false
		}
	}
	return true
}

// dropInput drops what has arrived, and what arrives meanwhile: a client may have
// to send all of its input before it reads. One that has begun may pause.
func (c *Conn) dropInput() event {
	const pause = 10 // looks
	done, fd := make(event), c.fd
	go func() {
		defer close(done)
		quiet := pause
		for until := time.Now().Add(releaseTime / 2); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			waiting, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
			if waiting > 0 {
				quiet = 0
			}
			if more := dropArrived(fd); !more || err != nil || quiet >= pause {
				return
			}
			quiet++
		}
	}()
	return done
}

// lingers reports whether the command has set SO_LINGER: then close waits for the
// peer, for days, or resets the connection. It takes no lock.
func (c *Conn) lingers() bool {
	l, err := unix.GetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER)
	return err != nil || l.Onoff != 0
}

// unlinger takes that back, and reports whether it could, in time.
func (c *Conn) unlinger() bool {
	done, fd := make(event), c.fd
	go func() {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
		close(done)
	}()
	return done.wait(releaseTime)
}

// interrupted calls f, and should it take longer than releaseTime ends what the
// kernel lets it wait for there: others have the connection as well and may set
// SO_LINGER again just now. A signal ends that wait and nothing else. The kernel has the
// timer: one of Go's would start the poller and keep a thread, in every connection.
func (c *Conn) interrupted(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	late, err := startTimer(releaseTime, unix.SIGURG) // which Go ignores
	if err != nil {
		c.fd = -1 // at the end of the process nothing waits
		return
	}
	defer late.stop()
	f()
}
