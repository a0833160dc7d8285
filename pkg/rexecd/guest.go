package rexecd

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"rexecd/pkg/passwd"
	"rexecd/pkg/places"
	"rexecd/pkg/rexec/wire"
)

// guests says who is let in without a password, and as whom.
type guests struct {
	name     string
	accounts []string // each serves one guest at a time; none: there are no guests
	from     []netip.Prefix
	// passwordAccounts permits accounts that somebody may log in to with a password.
	passwordAccounts bool
}

// A guestLogin is what a user name and an address have to do with guests.
type guestLogin uint8

const (
	notGuest  guestLogin = iota // the name of an ordinary user, or of nobody
	elsewhere                   // the guests' name, from where no guests come
	isGuest
)

// login looks at who asks; a guest has no password, too. A name is a guest's in the
// forms in which accounts are looked up: with fold_user, z/OS sends it in capitals.
// Everybody else takes the ordinary road, a guest from elsewhere too.
func (g *guests) login(user string, peer netip.Addr, n names) guestLogin {
	switch {
	case len(g.accounts) == 0 || !asRoot:
		return notGuest
	case user != g.name && (!n.fold || lower(user) != g.name):
		return notGuest
	case !within(g.from, peer):
		return elsewhere
	}
	return isGuest
}

// welcomes reports whether a request is a guest's.
func (s *Server) welcomes(req *wire.Request, peer netip.Addr) bool {
	return len(req.Password) == 0 && s.Config.guests.login(req.User, peer, s.Config.names) == isGuest
}

// within reports whether an address is in one of the networks.
func within(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("") // networks have no zones
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// admitGuest gives a guest the first idle account. PAM is not asked for a password:
// its account and session stages run for that account.
func (s *Server) admitGuest(user *userSession, claimed string, a *attempt, grace *deadline) (*passwd.Entry, error) {
	if err := a.checkSource(); err != nil {
		return nil, err
	}
	var account *passwd.Entry
	var passed []string // and why
	err := grace.during("the guest accounts", func() (err error) {
		for _, name := range s.Config.guests.accounts {
			if account, err = user.occupy(name); err == nil {
				return nil
			}
			passed = append(passed, fmt.Sprintf("%q: %v", name, err))
		}
		return errors.New("no guest account is idle: " + strings.Join(passed, "; "))
	})
	id := &identity{claimed: claimed, account: account}
	a.identified(id)
	a.authenticated, a.guest = true, true
	if err != nil {
		return nil, unavailable(err)
	}
	user.noInput = true
	user.tx.Renamed = id.sameAccount
	if err := user.tx.Identify(a.peer.Addr().String(), account.Name); err != nil {
		return nil, unavailable(err)
	}
	return s.authorize(user.tx, id, a, grace)
}

// occupy takes an account for a guest, until the command has ended. The lock is this
// process's; what an earlier guest has left running, even if the process that served
// it was killed, keeps the account from being idle as well: the next guest could
// trace it, and be traced.
func (u *userSession) occupy(name string) (*passwd.Entry, error) {
	account, err := u.server.Config.guests.fit(name)
	if err != nil {
		return nil, err
	}
	counters := u.server.Config.sessions.dir
	place, err := places.Acquire(counters, "guests", uint32(account.UID), 1)
	if errors.Is(err, places.ErrFull) {
		return nil, errors.New("it has a guest")
	}
	if err != nil {
		return nil, err
	}
	pid, err := places.ProcessOf(account.UID)
	if err == nil && pid != 0 {
		err = fmt.Errorf("process %d is its", pid)
	}
	if err != nil {
		place.Release()
		return nil, err
	}
	u.places = append(u.places, place)
	return account, nil
}

// fit returns an account that guests may have, whether it is idle or not.
func (g *guests) fit(name string) (*passwd.Entry, error) {
	account, err := passwd.Lookup(name)
	switch {
	case err != nil:
		return nil, err
	case account.UID == 0:
		return nil, errors.New("it is root's")
	case g.passwordAccounts:
		return account, nil
	}
	switch locked, err := account.Locked(); {
	case err != nil:
		return nil, err
	case !locked:
		return nil, errors.New("it may have a password, which permit_password_accounts does not permit")
	}
	return account, nil
}
