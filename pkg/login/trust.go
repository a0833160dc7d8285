package login

import "github.com/msteinert/pam/v2"

// Trust proves that an account trusts a user of another host (pam_rhosts(8)). client is
// what that host says of its user. A module that asks for a password gets none.
func (l *Login) Trust(rhost, client, user string) error {
	if err := l.Identify(rhost, user); err != nil {
		return err
	}
	if err := l.tx.SetItem(pam.Ruser, client); err != nil {
		return &Error{Call: "set_item", Status: err}
	}
	if err := l.call("authenticate", l.tx.Authenticate, pam.DisallowNullAuthtok); err != nil {
		return err
	}
	return l.sameUser()
}
