package login

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestModuleThatChangesTheUserIsRefused(t *testing.T) {
	for _, tt := range []struct {
		at, user string
		call     func(l *Login) error
	}{
		{"auth", "root", func(l *Login) error { return nil }},
		{"auth", "alic", func(l *Login) error { return nil }},
		{"acct", "root", func(l *Login) error { return l.Account(false) }},
		{"open", "root", func(l *Login) error { return l.Open() }},
	} {
		t.Run(tt.at+" "+tt.user, func(t *testing.T) {
			options := "user=" + tt.user + " at=" + tt.at
			l := start(t, "auth required %s "+options+"\naccount required %s "+options+"\nsession required %s "+options+"\n")
			err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false)
			if err == nil {
				err = tt.call(l)
			}
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("changed the user to %q", tt.user)) {
				t.Errorf("%v; want the change named", err)
			}
		})
	}
}

// A directory without case: every spelling of alice is her account.
func sameAccount(name string) error {
	if !strings.EqualFold(name, "alice") {
		return errors.New("another account")
	}
	return nil
}

func TestCanonicalNameOfTheSameAccountIsAccepted(t *testing.T) {
	for _, options := range []string{"lower", "lower at=auth", "lower at=acct", "lower at=open", "lower at=setcred"} {
		t.Run(options, func(t *testing.T) {
			l := start(t, strings.ReplaceAll("auth required %s O\naccount required %s O\nsession required %s O\n", "O", options))
			var asked []string
			l.Renamed = func(name string) error {
				asked = append(asked, name)
				return sameAccount(name)
			}
			if err := all(l, "ALICE", "x"); err != nil {
				t.Error(err)
			}
			if !slices.Equal(asked, []string{"alice"}) {
				t.Errorf("Renamed was asked about %q; want alice, once", asked)
			}
		})
	}
}

func TestMappingToAnotherAccountIsRefusedAtEveryCall(t *testing.T) {
	for _, at := range []string{"auth", "acct", "setcred", "open"} {
		for _, user := range []string{"root", "alic", "alice\u00a0"} {
			l := start(t, strings.ReplaceAll("auth required %s O\naccount required %s O\nsession required %s O\n", "O", "lower user="+user+" at="+at))
			l.Renamed = sameAccount
			if err := all(l, "ALICE", "x"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("changed the user to %q: another account", user)) {
				t.Errorf("%s to %q = %v; want the change refused", at, user, err)
			}
		}
	}
	// First the canonical name, then somebody else: the first consent is for the first name alone.
	l := start(t, "auth required %s lower\naccount required %s user=root\n")
	l.Renamed = sameAccount
	if err := l.Authenticate("192.0.2.7", "ALICE", []byte("x"), false); err != nil {
		t.Fatal(err)
	}
	if err := l.Account(false); err == nil || !strings.Contains(err.Error(), `changed the user to "root"`) {
		t.Errorf("Account = %v; want the change refused", err)
	}
}

func TestWithoutRenamedNoChangeIsAccepted(t *testing.T) {
	l := start(t, "auth required %s lower\n")
	if err := l.Authenticate("192.0.2.7", "ALICE", []byte("x"), false); err == nil || !strings.Contains(err.Error(), `changed the user to "alice"`) {
		t.Errorf("Authenticate = %v; want the change refused", err)
	}
	l = start(t, "auth required %s lower\naccount required %s user=alice\nsession required %s user=alice\n")
	if err := all(l, "alice", "x"); err != nil {
		t.Errorf("the same name again = %v; want no error", err)
	}
}
