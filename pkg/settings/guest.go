package settings

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Guest holds the table [guest].
type Guest struct {
	Name                   string
	Accounts               []string // none: there are no guests
	From                   []netip.Prefix
	PermitPasswordAccounts bool
}

func defaultGuest() Guest { return Guest{Name: "guest"} }

func (g *Guest) keys() table {
	return table{
		{name: "name", value: userValue{&g.Name}},
		{name: "accounts", value: usersValue{&g.Accounts}},
		{name: "from", value: networksValue{&g.From}},
		{name: "permit_password_accounts", value: boolValue{&g.PermitPasswordAccounts}},
	}
}

// check has the networks named: a login without a password is for those only.
func (g *Guest) check(from Sources) error {
	set, missing := "accounts", "from"
	switch {
	case len(g.Accounts) > 0 && len(g.From) == 0:
	case len(g.Accounts) == 0 && len(g.From) > 0:
		set, missing = missing, set
	default:
		return nil
	}
	at := from.origins["guest."+set]
	return fmt.Errorf("%v:%d: guest.%s is set, and guest.%s is empty: guests need both", at, at.Column, set, missing)
}

// isUser reports whether an account can have the name, by useradd(8)'s rules at
// their widest.
func isUser(name string) bool {
	return name != "" && name != "." && name != ".." && name[0] != '-' && len(name) <= 256 &&
		!strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '/' || c == ':' })
}

// A userValue is the name of a user.
type userValue struct{ field *string }

func (v userValue) set(n *unstable.Node) *unstable.Node {
	if n.Kind != unstable.String || !isUser(string(n.Data)) {
		return n
	}
	*v.field = string(n.Data)
	return nil
}

func (userValue) allowed() string  { return "a user name" }
func (v userValue) String() string { return strconv.Quote(*v.field) }

// A usersValue is a list of them, each once.
type usersValue struct{ field *[]string }

func (v usersValue) set(n *unstable.Node) *unstable.Node {
	var list []string
	wrong := setList(n, func(name string) bool {
		for _, other := range list {
			if other == name {
				return false
			}
		}
		list = append(list, name)
		return isUser(name)
	})
	if wrong == nil {
		*v.field = list
	}
	return wrong
}

func (usersValue) allowed() string {
	return `a list of user names, each once, as in ["slave1", "slave2"]`
}
func (v usersValue) String() string { return formatList(*v.field) }
