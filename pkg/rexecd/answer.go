package rexecd

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/rexec/wire"
)

// How long, and for how many bytes, a refused peer is listened to, so that the
// line it was sent is not lost to a reset.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

// refuse ends a connection without a command: the log gets the reason, the
// source its charge, the peer the public line.
func (s *Server) refuse(c *connections, a *attempt, grace *deadline, err error) {
	r := asRefusal(err)
	if r.delayed {
		// At most half the grace time: the answer is wanted before it is over.
		charge, answer := schedule(a.asked, time.Now(), min(s.Config.RefusalDelay, s.Config.Grace/2))
		if answer.After(grace.at) {
			// Not one that is on its way by then. All that happens, happens as to a login that is
			// cut off inside PAM, by the same process: otherwise how long PAM took could be
			// seen by asking just before.
			r.public, answer = "", grace.at
			if charge.Before(grace.at) {
				sleepUntil(charge)
				a.charge(r.offence)
				r.offence = noOffence
			}
			rest := a.report(r.kind, r.reason, r.offence)
			rest.status = 0
			grace.await(c.remains(rest))
		}
		a.write(audit.Event{Kind: r.kind, Reason: r.reason})
		sleepUntil(charge)
		a.charge(r.offence)
		sleepUntil(answer)
	} else {
		a.write(audit.Event{Kind: r.kind, Reason: r.reason})
		a.charge(r.offence)
	}
	a.step("answer %q", r.public)
	c.stderr.Close()
	sendLine(c.primary, r.public)
}

// sendLine sends a peer one line of diagnostics, unless it is empty, and closes
// the connection: in order once a line was sent.
func sendLine(conn *inetd.Conn, public string) {
	defer conn.Close()
	if public == "" {
		return
	}
	// In one write: clients read the status byte and the line as they come.
	line := append([]byte{wire.StatusError}, public+"\n"...)
	if _, err := conn.Write(line); err == nil {
		conn.Linger(lingerTime, lingerBytes)
	}
}

// refusalStep is above all that PAM does for a login which is refused. An unknown
// name, a locked account, a refused root and a wrong password leave different
// modules at different points; yescrypt is run once, twice or not at all, some
// 40 ms each time here and 200 ms on a small board.
const refusalStep = 500 * time.Millisecond

// schedule decides when a refused login is charged and when it is answered, so
// that neither shows how long PAM took. Both count from when the request was
// complete; what modules ask for (pam_fail_delay(3)) plays no part, since those
// that leave early ask for nothing. A host that is slower than a step, or than
// the delay, charges and answers at a multiple of a step.
//
// The charge does not wait for the answer: every guess made until it counts is
// free.
func schedule(asked, now time.Time, delay time.Duration) (charge, answer time.Time) {
	step := max(min(refusalStep, delay), time.Millisecond)
	charge = asked.Add(step)
	if late := now.Sub(charge); late > 0 {
		charge = charge.Add((late + step - 1) / step * step)
	}
	answer = asked.Add(delay)
	if answer.Before(charge) {
		answer = charge
	}
	return charge, answer.Add(random(delay / 4))
}

// random is a random part of most, none without random numbers.
func random(most time.Duration) time.Duration {
	var b [4]byte
	unix.Getrandom(b[:], 0)
	return most / 1024 * time.Duration(binary.LittleEndian.Uint32(b[:])>>22)
}
