package rexecd

import (
	"errors"
	"strings"

	"rexecd/pkg/passwd"
)

// names says under which other names an account is looked up whose name, as it was
// sent, nobody has.
type names struct {
	fold   bool   // in lower case: z/OS and IBM i send capitals
	domain string // %u in it stands for the name: "%u@example.com", `EXAMPLE\%u`; empty: none
}

// find looks a name up, as it was sent first.
func (n names) find(claimed string) (*passwd.Entry, error) {
	account, _, err := n.findAs(claimed)
	return account, err
}

// findAs returns the form, too, that has an account. Only "no such user" leads to the
// next form: a directory that fails must not have somebody else let in.
func (n names) findAs(claimed string) (account *passwd.Entry, form string, err error) {
	for _, form = range n.forms(claimed) {
		if account, err = passwd.Lookup(form); !errors.Is(err, passwd.ErrUnknown) {
			return account, form, err
		}
	}
	return nil, "", err
}

// forms are the names that a claimed one is looked up as, in order. How many there
// are depends on the claimed name alone, so a refused peer learns nothing by their
// time either.
func (n names) forms(claimed string) []string {
	forms := []string{claimed}
	name := claimed
	if n.fold {
		if name = lower(claimed); name != claimed {
			forms = append(forms, name)
		}
	}
	if n.domain != "" && !strings.ContainsAny(claimed, `@\`) {
		forms = append(forms, strings.ReplaceAll(n.domain, "%u", name))
	}
	return forms
}

// lower returns a name in lower case, of ASCII alone: in an older encoding, such as
// Latin-1, the other bytes are letters of their own.
func lower(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}
