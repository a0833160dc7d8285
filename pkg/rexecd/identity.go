package rexecd

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"rexecd/pkg/passwd"
	"rexecd/pkg/rexec/wire"
)

// An identity is who the peer claims to be, and which account that is.
type identity struct {
	claimed string        // as it was sent
	account *passwd.Entry // nil where the name service knows nobody of that name
	invalid bool          // nobody, or no account can have the name
	barred  error         // why nobody is let in by this name, whatever PAM decides
	names   names
}

// nameForPAM is the account's own name where there is one, as login(1) and sshd
// do it: names without case (sssd, winbind) would otherwise pass a deny list in
// another spelling, and have a tally of their own.
func (id *identity) nameForPAM() string {
	switch {
	case id.account != nil:
		return id.account.Name
	case !validName(id.claimed):
		return "rexec-invalid-user" // no module gets to see it: some make file names of it
	}
	return id.claimed
}

// identify looks at the name before PAM does.
func (s *Server) identify(claimed string, emptyPassword bool, grace *deadline) *identity {
	id := &identity{claimed: claimed, names: s.Config.names}
	if !validName(claimed) {
		id.invalid, id.barred = true, errors.New("no account can have this name")
		return id
	}
	account, err := s.lookup(claimed, grace)
	switch {
	case errors.Is(err, passwd.ErrUnknown):
		id.invalid = true
	case err == nil:
		id.account, id.barred = account, s.checkAccount(account)
	}
	if emptyPassword && !s.Config.PermitEmptyPassword && id.barred == nil {
		id.barred = errors.New("empty passwords are not permitted")
	}
	return id
}

// lookup asks NSS, which may ask a directory server that does not answer.
func (s *Server) lookup(claimed string, grace *deadline) (account *passwd.Entry, err error) {
	err = grace.during("the user database", func() error {
		account, err = s.Config.names.find(claimed)
		return err
	})
	return account, err
}

// checkAccount is what the server itself demands of an account.
func (s *Server) checkAccount(account *passwd.Entry) error {
	switch {
	case account.UID == 0 && !s.Config.PermitRoot:
		// Not left to PAM: pam_securetty permits root where /etc/securetty is missing.
		return errors.New("root is not permitted")
	case !asRoot && account.UID != os.Geteuid():
		return errors.New("without root, only the invoking user is served")
	}
	return nil
}

// asRoot is whether this process was started as one that can become a user and
// open a session. It is asked once: a PAM module may change the ids, after which
// the command must not be started as whoever that leaves.
var asRoot = os.Geteuid() == 0

// validName reports whether a passwd entry could have the name (useradd(8) and
// systemd permit less). "." and ".." are directories to a module that makes a
// path of them.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && name[0] != '-' && !strings.ContainsFunc(name, func(c rune) bool {
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
