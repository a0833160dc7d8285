package rexecd

import (
	"fmt"

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

	watchdog *session.Watchdog
	stop     *session.Stop
	limits   session.Limits // this process's own, before the session's
	places   []*places.Place

	noInput bool // the command's stdin is at its end
}

// open gives the process the user's groups, and the user a session.
func (u *userSession) open(account *passwd.Entry, r *ruling, grace *deadline) error {
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
	if r.onExit == Shutdown || r.NoInput {
		session.SpareThreads(2) // for inetd.Release, one for each connection
	}
	u.limits = session.SaveLimits()
	if err := grace.during("pam_open_session", u.tx.Open); err != nil {
		return sessionRefusal(err)
	}
	u.attempt.step("PAM has opened the session")
	return nil
}

// restoreLimits puts this process's own limits back, once: the command has inherited
// the session's, or there will be none.
func (u *userSession) restoreLimits() {
	u.limits.Restore()
	u.limits = session.Limits{}
}

// close closes the session, if one was opened, ends the PAM transaction, and gives
// the places up.
// Closing again does nothing. A module that hangs here has the grace time once
// more: nobody waits for it any longer but this process.
func (u *userSession) close() error {
	u.restoreLimits()
	var err error
	if u.tx != nil {
		closing := u.server.closing(u.attempt, u.watchdog)
		defer closing.stop()
		done := false
		err = closing.during("pam_close_session", func() error {
			done = true
			return u.tx.Close()
		})
		if !done { // no timer to be had
			err = u.tx.Close()
		}
		u.tx = nil
	}
	for _, place := range u.places {
		place.Release() // not with the process, which stays until the peer has read all
	}
	if err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}
