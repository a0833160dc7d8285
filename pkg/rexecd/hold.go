package rexecd

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// How long a login that is refused takes, from the time that the request was
// whole. An unknown name, a locked account, a refused root and a wrong password
// leave different modules at different points; yescrypt is run once, twice or
// not at all, some 40 ms each time here and 200 ms on a small board. The floor is
// above the sum, so that all that can be seen of it is the floor. Variables for
// the fuzzer, which has no time for it.
var (
	refusalFloor  = 500 * time.Millisecond
	refusalJitter = 100 * time.Millisecond
)

// hold waits until a refused login may be answered, and tells whether that is
// before the grace time is over. Counted is from the start, and PAM's own delay
// (pam_fail_delay(3)) with it: added to the end instead, it would carry the
// modules' time to the peer. A host that is slower still answers at a multiple
// of the floor.
func (r *request) hold() bool {
	due := r.asked.Add(max(refusalFloor, r.delay) + jitter())
	for time.Until(due) < 0 {
		due = due.Add(refusalFloor)
	}
	if due.After(r.grace.deadline) {
		time.Sleep(r.grace.left())
		return false
	}
	time.Sleep(time.Until(due))
	return true
}

// jitter is a random part of refusalJitter, none without random numbers.
func jitter() time.Duration {
	var b [4]byte
	unix.Getrandom(b[:], 0)
	return refusalJitter * time.Duration(binary.LittleEndian.Uint32(b[:])) >> 32
}
