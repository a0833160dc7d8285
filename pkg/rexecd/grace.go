package rexecd

import (
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/penalty"
	"rexecd/pkg/session"
)

// A child that is killed is gone at once, unless it waits for a file system that
// does not answer: a home directory that is the user's own (FUSE), or a server's.
// Longer than lingerTime, which a shell that could not be started may take as well.
const (
	expireAgain   = 100 * time.Millisecond
	abortPatience = 5 * time.Second
)

// startGrace starts the grace time of one connection.
func (s *Server) startGrace(c *connections, a *attempt) *deadline {
	g := &deadline{limit: s.Config.Grace, at: a.began.Add(s.Config.Grace)}
	c.primary.Deadline = g.at
	g.expired = func(inside string, late time.Duration) time.Duration {
		switch {
		case inside != "":
			kind := audit.ProtocolError
			if a.late(s.Config.Grace) {
				if kind = audit.Failed; a.authenticated {
					kind = audit.Refused
				}
				a.charge(penalty.AuthFail)
			}
			// As refuse does for a login that PAM had refused by now, and before what it
			// need not do any more.
			c.stderr.Close()
			c.primary.Close()
			a.write(audit.Event{Kind: kind, Reason: &graceOver{s.Config.Grace, inside}})
		case late > abortPatience:
			const where = "the start of the shell, whose process cannot be killed"
			a.write(audit.Event{Kind: audit.InternalError, Reason: &graceOver{s.Config.Grace, where}})
			release := inetd.Release{Shutdown: true, Stopped: true} // for that process, which has them as well
			release.Begin(c.primary, c.stderr)
			release.Finish()
		default:
			// Between two calls, where enter will notice; or in the start of the
			// shell, which fails when its child is killed. There may be none yet.
			session.Abort()
			return expireAgain
		}
		s.Exit(1)
		return 0
	}
	return g
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
