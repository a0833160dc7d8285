package rexecd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/login"
	"rexecd/pkg/passwd"
	"rexecd/pkg/rexec/wire"
	"rexecd/pkg/session"
)

// A user is somebody who was let in.
type user struct {
	*request
	entry *passwd.Entry
	login *login.Login
	stop  *session.Stop
	root  bool // this process can become the user and open a session

	limits session.Limits // this process's own, before the session's
}

// StandBy loads what every login needs, PAM's modules and those of the name
// service, before there is a connection.
func (s *Server) StandBy() error {
	if root, err := passwd.Lookup("root"); err == nil {
		_, _ = root.Groups() // for what it loads
	}
	return s.prepare()
}

// prepare starts a transaction, for whom it may be: the modules are loaded while
// the request is on its way.
func (s *Server) prepare() error {
	if s.ready != nil {
		return nil
	}
	var err error
	if s.ready, err = login.Start(s.PAM); err != nil {
		return refused(tryAgain, err)
	}
	return nil
}

// authenticate asks PAM who the peer is and whether they may come in. Whatever
// is refused here is refused along the same road, with the same bytes: the
// stack runs for an unknown name and for root as it does for a wrong password,
// only with another password.
func (r *request) authenticate() (*user, error) {
	defer r.Wipe()
	r.asked = time.Now()
	if err := r.admitted(); err != nil {
		return nil, refused(tryAgain, err)
	}
	u := &user{request: r, root: os.Geteuid() == 0, login: r.ready}
	if err := u.authenticate(); err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

func (u *user) authenticate() error {
	name, barred := u.candidate()
	if barred != nil {
		scramble(u.Request)
	}
	rhost, nullok := u.conn.Peer.Addr().String(), u.PermitEmptyPassword
	err := u.grace.during("pam_authenticate", func() error { return u.login.Authenticate(rhost, name, u.Password, nullok) })
	u.Wipe()
	u.delay = u.login.Delay()
	switch wait := u.admitted(); {
	case barred != nil:
		err = barred // the reason for the log, whatever PAM made of it
	case err == nil && wait != nil:
		err = wait // a right guess among many at once
	}
	if err != nil {
		return refused(loginIncorrect, err)
	}
	u.proven = true
	if err := u.grace.during("pam_acct_mgmt", func() error { return u.login.Account(nullok) }); err != nil {
		return refused(publicReason(err, loginIncorrect), err)
	}
	if u.entry == nil { // PAM may have made the account
		var err error
		switch u.entry, err = u.lookup(); {
		case errors.Is(err, passwd.ErrUnknown):
			return refused(loginIncorrect, err)
		case err != nil:
			return refused(tryAgain, err)
		}
	}
	// Again: the entry may be new.
	if err := u.admit(u.entry); err != nil {
		return refused(loginIncorrect, err)
	}
	return nil
}

// candidate looks at the name before PAM does. It returns the name for PAM and
// why nobody is to be let in by it, if so.
func (u *user) candidate() (name string, barred error) {
	if !validName(u.User) {
		u.invalid = true
		// No module gets to see it: some make file names of it.
		return "rexec-invalid-user", errors.New("no account can have this name")
	}
	entry, err := u.lookup()
	switch {
	case err == passwd.ErrUnknown:
		u.invalid = true
	case err == nil:
		u.entry = entry
		if barred = u.admit(entry); barred != nil {
			return u.User, barred
		}
	}
	if len(u.Password) == 0 && !u.PermitEmptyPassword {
		return u.User, errors.New("empty passwords are not permitted")
	}
	return u.User, nil
}

// lookup asks NSS, which may ask a directory server that does not answer.
func (u *user) lookup() (entry *passwd.Entry, err error) {
	err = u.grace.during("the user database", func() error {
		entry, err = passwd.Lookup(u.User)
		return err
	})
	return entry, err
}

// admit is what the server itself demands of an account.
func (u *user) admit(entry *passwd.Entry) error {
	switch {
	case entry.UID == 0 && !u.PermitRoot:
		// Not left to PAM: pam_securetty permits root where /etc/securetty is missing.
		return errors.New("root is not permitted")
	case !u.root && entry.UID != os.Geteuid():
		return errors.New("without root, only the invoking user is served")
	}
	return nil
}

// validName tells whether a passwd entry could have the name (useradd(8) and
// systemd permit less).
func validName(name string) bool {
	return name != "" && name[0] != '-' && !strings.ContainsFunc(name, func(c rune) bool {
		return c < ' ' || c == 0x7f || c == '/' || c == ':'
	})
}

// scramble overwrites the password with a random one of the same length.
func scramble(req *wire.Request) {
	if len(req.Password) == 0 {
		req.Password = req.Password[:8]
	}
	unix.Getrandom(req.Password, 0)
	for i, b := range req.Password {
		req.Password[i] = 'a' + b%26
	}
}

// publicReason is what a user who proved the password may be told.
func publicReason(err error, otherwise string) string {
	var pamErr *login.Error
	if errors.As(err, &pamErr) {
		switch {
		case pamErr.PasswordExpired():
			return "Password expired." // there is no terminal to change it on
		case pamErr.AccountExpired():
			return "Account expired."
		case pamErr.Message != "":
			return pamErr.Message
		}
	}
	return otherwise
}

// open gives the process the user's groups, and the user a session.
func (u *user) open() error {
	var err error
	if u.stop, err = session.CatchStop(); err != nil {
		return refused(tryAgain, err)
	}
	if !u.root {
		return nil // every module that does something needs root
	}
	err = u.grace.during("the group database", func() error {
		groups, err := u.entry.Groups()
		if err != nil {
			return err
		}
		return session.SetGroups(u.entry.GID, groups)
	})
	if err != nil {
		return refused(tryAgain, err)
	}
	u.limits = session.SaveLimits()
	if err := u.grace.during("pam_open_session", u.login.Open); err != nil {
		return refused(publicReason(err, tryAgain), err)
	}
	return nil
}

// close closes the session, if one was opened, and ends the PAM transaction.
// Closing again does nothing. A module that hangs here has the grace time once
// more: nobody waits for it any longer but this process.
func (u *user) close() error {
	u.grace.stop()
	u.limits.Restore()
	hung := time.AfterFunc(u.Grace, func() {
		u.log(audit.Event{Kind: audit.InternalError, Reason: fmt.Errorf("pam_close_session has not returned within %v", u.Grace)})
		u.Exit(1)
	})
	defer hung.Stop()
	if err := u.login.Close(); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}
