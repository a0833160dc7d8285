package rexecd

import (
	"errors"
	"slices"
	"testing"
	"time"

	"rexecd/pkg/passwd"
)

func TestNamesAreLookedUpAsSentFirst(t *testing.T) {
	for _, tt := range []struct {
		names   Names
		claimed string
		want    []string
	}{
		{Names{}, "ALICE", []string{"ALICE"}},
		{Names{Fold: true}, "ALICE", []string{"ALICE", "alice"}},
		{Names{Fold: true}, "alice", []string{"alice"}},
		{Names{Fold: true}, "J\xd6RG", []string{"J\xd6RG", "j\xd6rg"}},
		{Names{Fold: true}, "ÄB", []string{"ÄB", "Äb"}},
		{Names{Domain: "%u@example.com"}, "ALICE", []string{"ALICE", "ALICE@example.com"}},
		{Names{Domain: `EXAMPLE\%u`}, "alice", []string{"alice", `EXAMPLE\alice`}},
		{Names{Domain: "%u@example.com"}, "alice@example.org", []string{"alice@example.org"}},
		{Names{Domain: "%u@example.com"}, `OTHER\alice`, []string{`OTHER\alice`}},
		{Names{Domain: "%u@example.com", Fold: true}, "ALICE", []string{"ALICE", "alice", "alice@example.com"}},
		{Names{Domain: "%u@example.com", Fold: true}, "A@B", []string{"A@B", "a@b"}},
		{Names{Domain: "%u@example.com"}, "%u", []string{"%u", "%u@example.com"}},
	} {
		if got := tt.names.forms(tt.claimed); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q is looked up as %q; want %q", tt.names, tt.claimed, got, tt.want)
		}
	}
}

func TestANameIsFoundInItsOtherForm(t *testing.T) {
	if _, err := (Names{}).find("ROOT"); !errors.Is(err, passwd.ErrUnknown) {
		t.Errorf("ROOT as sent: %v", err)
	}
	account, err := Names{Fold: true}.find("ROOT")
	if err != nil || account.Name != "root" || account.UID != 0 {
		t.Errorf("ROOT with fold_user: %+v, %v", account, err)
	}
	s := &Server{Config: Config{Names: Names{Fold: true}}}
	if id := s.identify("ROOT", false, &deadline{limit: wait, at: time.Now().Add(wait), stopped: true}); id.barred == nil || id.claimed != "ROOT" {
		t.Errorf("ROOT passed as %+v", id)
	}
}
