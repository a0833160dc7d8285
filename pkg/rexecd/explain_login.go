package rexecd

import (
	"errors"
	"fmt"
	"net/netip"

	"rexecd/pkg/passwd"
)

// login says whose account a user name is from an address: a guest's, or that of the
// first form of the name that has one. Without an account that can be had, it returns
// neither an account nor an error.
func (e *explanation) login(s *Server, user string, from netip.Addr) (account *passwd.Entry, guest bool, err error) {
	g, names := &s.Config.guests, s.Config.names
	switch g.login(user, from, names) {
	case isGuest:
		e.line("login", fmt.Sprintf("a guest's with an empty password, and shown so; with another, that of the user %q", names.forms(user)))
		return e.guest(g), true, nil
	case elsewhere:
		e.line("login", fmt.Sprintf("no guest's, with an empty password neither: %v is not in guest.from, %v", from, g.from))
	}
	account, form, err := names.findAs(user)
	switch {
	case errors.Is(err, passwd.ErrUnknown):
		return nil, false, fmt.Errorf("user %q, looked up as %q: %w", user, names.forms(user), err)
	case err != nil:
		return nil, false, fmt.Errorf("user %q: %w", user, err)
	case form != user || account.Name != user:
		e.line("login", fmt.Sprintf("looked up as %q, and found as %q: the account %q", names.forms(user), form, account.Name))
	}
	return account, false, nil
}

// guest returns the first account that guests may have, or nil. Whether it is idle is
// not asked: that would keep a guest from it.
func (e *explanation) guest(g *guests) (first *passwd.Entry) {
	for _, name := range g.accounts {
		account, err := g.fit(name)
		switch {
		case err != nil:
			e.line("guest account %q", fmt.Sprintf("never given: %v", err), name)
		case first == nil:
			first = account
			e.line("guest account %q", "given if it is idle, and shown here", name)
		default:
			e.line("guest account %q", "given if those before are not idle", name)
		}
	}
	if first == nil {
		e.line("guest", "no account is fit: Try again.")
	}
	return first
}
