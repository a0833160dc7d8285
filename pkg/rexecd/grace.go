package rexecd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/penalty"
	"rexecd/pkg/session"
)

// startGrace starts the grace time of one connection.
func (s *Server) startGrace(c *connections, a *attempt) *deadline {
	g := &deadline{limit: s.Config.Grace, at: a.began.Add(s.Config.Grace), watchdog: s.watchdog()}
	c.primary.Deadline = g.at
	g.expired = func(over *graceOver, start bool) remains {
		if start {
			over.where += ", whose process cannot be killed"
			return c.remains(a.report(audit.InternalError, over, noOffence))
		}
		kind, offence := audit.ProtocolError, noOffence
		if a.late(s.Config.Grace) {
			if kind = audit.Failed; a.authenticated {
				kind = audit.Refused
			}
			offence = penalty.AuthFail
		}
		return c.remains(a.report(kind, over, offence))
	}
	return g
}

// watchdog is the process's, if it has a program to report with.
func (s *Server) watchdog() *session.Watchdog {
	if s.Reporter == nil {
		return nil
	}
	// The reporter may have this process's ID, and has none of its sockets (sd_listen_fds(3)).
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LISTEN_") })
	return &session.Watchdog{Argv: s.Reporter, Env: env, Stderr: s.Stderr}
}

// closing is the time that a PAM session has to be closed. Nobody waits for it any
// longer but this process, whose end closes what is left.
func (s *Server) closing(a *attempt, w *session.Watchdog) *deadline {
	d := &deadline{limit: s.Config.Grace, at: time.Now().Add(s.Config.Grace), watchdog: w}
	d.expired = func(over *graceOver, _ bool) remains {
		err := fmt.Errorf("%s has not returned within %v", over.where, over.limit)
		return remains{a.report(audit.InternalError, err, noOffence), -1, -1}
	}
	return d
}

// remains are a report and the connections.
func (c *connections) remains(r report) remains {
	second := -1
	if c.stderr != nil {
		second = c.stderr.Fd()
	}
	return remains{r, c.primary.Fd(), second}
}

// late reports whether the peer took most of the grace time for its request, so
// that a login which is cut off counts as failed. Whether it is depends on how
// long PAM takes, which is longer for a user who exists: free of charge, it would
// reveal that, and passwords one by one. So it counts after a right password as
// well: a peer who gets no answer must not find it out by the charge. A
// directory that does not answer is nobody's fault who asked in time.
func (a *attempt) late(grace time.Duration) bool {
	return !a.asked.IsZero() && a.asked.Sub(a.began) > grace/2
}

// Report does what is left of a connection whose time was over, in a process of its
// own that has Server.Reporter as arguments, and returns the exit status of the
// connection's. text is what that process left on descriptor 0.
func (s *Server) Report(text []byte) (status int, err error) {
	r, err := decodeReport(text)
	if err != nil {
		return 0, err
	}
	s.Log.PID = r.pid // whose records syslog's readers look for
	a := r.attempt
	a.log, a.penalties = s.Log, s.Config.Penalties
	a.charge(r.offence) // first, as refuse does
	a.write(audit.Event{Kind: r.kind, Reason: errors.New(r.reason)})
	return r.status, nil
}
