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

// welcomes reports whether a request is a guest's. Everybody else takes the
// ordinary road, a guest from elsewhere too.
func (g *guests) welcomes(req *wire.Request, peer netip.Addr) bool {
	return len(g.accounts) > 0 && asRoot && req.User == g.name && len(req.Password) == 0 && within(g.from, peer)
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
	guests, counters := u.server.Config.guests, u.server.Config.sessions.dir
	account, err := passwd.Lookup(name)
	switch {
	case err != nil:
		return nil, err
	case account.UID == 0:
		return nil, errors.New("it is root's")
	}
	if !guests.passwordAccounts {
		switch locked, err := account.Locked(); {
		case err != nil:
			return nil, err
		case !locked:
			return nil, errors.New("it may have a password, which permit_password_accounts does not permit")
		}
	}
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
