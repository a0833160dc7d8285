package rexecd

import (
	"fmt"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/login"
	"rexecd/pkg/passwd"
	"rexecd/pkg/places"
	"rexecd/pkg/session"
)

// A userSession is a PAM transaction and what was opened for a user by it.
type userSession struct {
	server  *Server
	attempt *attempt
	tx      *login.Login

	stop   *session.Stop
	limits session.Limits // this process's own, before the session's
	places []*places.Place

	noInput bool // the command's stdin is at its end
}

// open gives the process the user's groups, and the user a session.
func (u *userSession) open(account *passwd.Entry, grace *deadline) error {
	var err error
	if u.stop, err = session.CatchStop(); err != nil {
		return unavailable(err)
	}
	if !asRoot {
		return nil // every module that does something needs root
	}
	err = grace.during("the group database", func() error {
		groups, err := account.Groups()
		if err != nil {
			return err
		}
		return session.SetGroups(account.GID, groups)
	})
	if err != nil {
		return unavailable(err)
	}
	u.limits = session.SaveLimits()
	if err := grace.during("pam_open_session", u.tx.Open); err != nil {
		return sessionRefusal(err)
	}
	u.attempt.step("PAM has opened the session")
	return nil
}

// close closes the session, if one was opened, ends the PAM transaction, and gives
// the places up.
// Closing again does nothing. A module that hangs here has the grace time once
// more: nobody waits for it any longer but this process.
func (u *userSession) close() error {
	u.limits.Restore()
	hung := time.AfterFunc(u.server.Config.Grace, func() {
		u.attempt.write(audit.Event{Kind: audit.InternalError, Reason: fmt.Errorf("pam_close_session has not returned within %v", u.server.Config.Grace)})
		u.server.Exit(1)
	})
	defer hung.Stop()
	err := u.tx.Close()
	for _, place := range u.places {
		place.Release() // not with the process, which stays until the peer has read all
	}
	if err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}
