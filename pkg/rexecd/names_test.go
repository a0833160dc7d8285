package rexecd

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/passwd"
)

func TestNamesAreLookedUpAsSentFirst(t *testing.T) {
	for _, tt := range []struct {
		names   names
		claimed string
		want    []string
	}{
		{names{}, "ALICE", []string{"ALICE"}},
		{names{fold: true}, "ALICE", []string{"ALICE", "alice"}},
		{names{fold: true}, "alice", []string{"alice"}},
		{names{fold: true}, "J\xd6RG", []string{"J\xd6RG", "j\xd6rg"}},
		{names{fold: true}, "ÄB", []string{"ÄB", "Äb"}},
		{names{domain: "%u@example.com"}, "ALICE", []string{"ALICE", "ALICE@example.com"}},
		{names{domain: `EXAMPLE\%u`}, "alice", []string{"alice", `EXAMPLE\alice`}},
		{names{domain: "%u@example.com"}, "alice@example.org", []string{"alice@example.org"}},
		{names{domain: "%u@example.com"}, `OTHER\alice`, []string{`OTHER\alice`}},
		{names{domain: "%u@example.com", fold: true}, "ALICE", []string{"ALICE", "alice", "alice@example.com"}},
		{names{domain: "%u@example.com", fold: true}, "A@B", []string{"A@B", "a@b"}},
		{names{domain: "%u@example.com"}, "%u", []string{"%u", "%u@example.com"}},
	} {
		if got := tt.names.forms(tt.claimed); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q is looked up as %q; want %q", tt.names, tt.claimed, got, tt.want)
		}
	}
}

func TestANameIsFoundInItsOtherForm(t *testing.T) {
	if _, err := (names{}).find("ROOT"); !errors.Is(err, passwd.ErrUnknown) {
		t.Errorf("ROOT as sent: %v", err)
	}
	account, err := names{fold: true}.find("ROOT")
	if err != nil || account.Name != "root" || account.UID != 0 {
		t.Errorf("ROOT with fold_user: %+v, %v", account, err)
	}
	s := &Server{Config: Config{names: names{fold: true}}}
	grace := &deadline{limit: wait, at: time.Now().Add(wait)}
	if id := s.identify("ROOT", false, grace); id.barred == nil || id.claimed != "ROOT" {
		t.Errorf("ROOT passed as %+v", id)
	}
}

// What the server would look up, its explanation does.
func TestAnExplanationKnowsTheOtherNames(t *testing.T) {
	s := &Server{Config: DefaultConfig()}
	if _, _, err := s.Explain("DAEMON", netip.MustParseAddr("192.0.2.7"), netip.Addr{}, "", "id"); !errors.Is(err, passwd.ErrUnknown) {
		t.Fatalf("without fold_user: %v", err)
	}
	s.Config.names.fold = true
	text, allowed, err := s.Explain("DAEMON", netip.MustParseAddr("192.0.2.7"), netip.Addr{}, "", "id")
	if err != nil || !allowed || !strings.Contains(text, `user: "daemon"`) {
		t.Errorf("%v, %v: %s", err, allowed, text)
	}
}
