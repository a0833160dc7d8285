package rexecd

import (
	"errors"

	"rexecd/pkg/login"
	"rexecd/pkg/passwd"
	"rexecd/pkg/rexec/wire"
)

// authenticate asks PAM who the peer is and whether they may come in, and
// returns their account. Whatever is refused here is refused along the same
// road, with the same bytes: the stack runs for an unknown name and for root as
// it does for a wrong password, only with another password.
func (s *Server) authenticate(
	user *userSession, req *wire.Request, a *attempt, grace *deadline,
) (*passwd.Entry, error) {
	defer req.Wipe()
	if s.Config.Single != nil {
		return s.recognise(req, a)
	}
	if s.welcomes(req, a.peer.Addr()) {
		return s.admitGuest(user, req.User, a, grace)
	}
	id := s.identify(req.User, len(req.Password) == 0, grace)
	return s.prove(id, user.tx, req, a, grace, func() error {
		nullok := s.Config.PermitEmptyPassword
		return user.tx.Authenticate(a.peer.Addr().String(), id.nameForPAM(), req.Password, nullok)
	})
}

// prove has PAM decide, by a call of the caller's. Whoever is barred takes the same
// road, with a password that is none.
func (s *Server) prove(
	id *identity, tx *login.Login, req *wire.Request, a *attempt, grace *deadline, call func() error,
) (*passwd.Entry, error) {
	a.identified(id)
	if err := a.checkSource(); err != nil {
		return nil, err
	}
	if id.barred != nil {
		scramble(req)
	}
	tx.Renamed = id.sameAccount
	err := grace.during("pam_authenticate", call)
	req.Wipe()
	switch waits := a.checkSource(); {
	case id.barred != nil:
		return nil, badLogin(id.barred) // the reason for the log, whatever PAM made of it
	case err != nil:
		return nil, badLogin(err)
	case waits != nil:
		return nil, badLogin(waits.(*refusal).reason) // a right guess among many at once
	}
	a.authenticated = true
	a.step("PAM has authenticated %q", id.nameForPAM())
	return s.authorize(tx, id, a, grace)
}

// authorize asks whether the account may be used here and now.
func (s *Server) authorize(tx *login.Login, id *identity, a *attempt, grace *deadline) (*passwd.Entry, error) {
	nullok := s.Config.PermitEmptyPassword
	if err := grace.during("pam_acct_mgmt", func() error { return tx.Account(nullok) }); err != nil {
		return nil, accountRefusal(err)
	}
	if id.account == nil { // PAM may have made the account
		account, err := s.lookup(id.claimed, grace)
		switch {
		case errors.Is(err, passwd.ErrUnknown):
			return nil, closedAccount(err)
		case err != nil:
			return nil, unavailable(err)
		}
		id.account = account
		a.account = account.Name
	}
	// Again: the entry may be new.
	if err := s.checkAccount(id.account); err != nil {
		return nil, closedAccount(err)
	}
	a.step("the account %q, user ID %d, may come in", id.account.Name, id.account.UID)
	return id.account, nil
}

// sameAccount returns an error unless name, which a module has put in place of the
// user's, belongs to the same account: the log and the server's own checks are
// about that. It runs inside a PAM call, and so under its timer.
func (id *identity) sameAccount(name string) error {
	account, err := id.account, error(nil)
	if account == nil { // the module may have made it
		if account, err = id.names.find(id.claimed); err != nil {
			return err
		}
	}
	other, err := id.names.find(name)
	switch {
	case err != nil:
		return err
	case other.Name != account.Name || other.UID != account.UID:
		return errors.New("another account")
	}
	return nil
}
