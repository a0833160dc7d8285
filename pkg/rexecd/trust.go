package rexecd

import (
	"errors"
	"fmt"

	"rexecd/pkg/inetd"
	"rexecd/pkg/passwd"
	"rexecd/pkg/rexec/wire"
)

// authenticateRsh asks PAM who the peer is and whether they may come in: by a password
// like authenticate, or by whom the account trusts.
func (s *Server) authenticateRsh(
	user *userSession, req *wire.RshRequest, stderrPort int, a *attempt, grace *deadline,
) (*passwd.Entry, error) {
	defer req.Wipe()
	if s.Config.Single != nil {
		return s.recognise(&req.Request, a)
	}
	if s.welcomes(&req.Request, a.peer.Addr()) {
		return s.admitGuest(user, req.User, a, grace)
	}
	tx, peer := user.tx, a.peer.Addr().String()
	id := s.identify(req.User, req.HasPassword && len(req.Password) == 0, grace)
	if !req.HasPassword && id.barred == nil {
		id.barred = s.untrusted(id, req, stderrPort, a)
	}
	// A stack for both kinds must not take a password's login for the other.
	tx.MustAsk = s.Config.Trust
	account, err := s.prove(id, tx, &req.Request, a, grace, func() error {
		if !req.HasPassword && id.barred == nil {
			return tx.Trust(peer, req.Client, id.nameForPAM())
		}
		return tx.Authenticate(peer, id.nameForPAM(), req.Password, s.Config.PermitEmptyPassword)
	})
	if err == nil && !req.HasPassword && account.UID == 0 { // whom a directory that was down did not know before
		return nil, closedAccount(errTrustedRoot)
	}
	return account, err
}

var errTrustedRoot = errors.New("root is never let in without a password")

// untrusted returns why nobody is let in without a password, whomever the account
// trusts: what the client's host says of its user is worth something only where root
// alone could have said it, and never enough for root's own account.
func (s *Server) untrusted(id *identity, req *wire.RshRequest, stderrPort int, a *attempt) error {
	switch {
	case !s.Config.Trust:
		return errors.New("host-based logins are off ([rsh] trust)")
	case !asRoot:
		return errors.New("without root, there are no host-based logins")
	case id.account != nil && id.account.UID == 0:
		return errTrustedRoot
	case !validName(req.Client):
		return errors.New("no user can have the client's name")
	case a.proxy.IsValid(): // whose word the port is, and nobody's who must be root
		return errors.New("the client is behind a proxy: there are no host-based logins")
	case !inetd.Reserved(int(a.peer.Port())):
		return fmt.Errorf("the client's port, %d, is not reserved", a.peer.Port())
	case stderrPort != 0 && !inetd.Reserved(stderrPort):
		return fmt.Errorf("the stderr port, %d, is not reserved", stderrPort)
	}
	return nil
}
