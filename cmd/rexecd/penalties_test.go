package main

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/penalty"
)

func TestPenaltiesAreListedAndForgotten(t *testing.T) {
	table := &penalty.Table{Dir: penalty.Dir, Max: time.Hour, Min: 15 * time.Second, Bits4: 32, Bits6: 64}
	table.Dir = t.TempDir() + "/state"
	list := func() string {
		var out strings.Builder
		if err := listPenalties(&out, table); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := list(); got != "no source has a penalty\n" {
		t.Errorf("empty list = %q", got)
	}
	table.Amount[penalty.AuthFail], table.Amount[penalty.NoAuth] = time.Minute, time.Second
	for _, from := range []string{"192.0.2.7", "2001:db8::1"} {
		if _, err := table.Add(netip.MustParseAddr(from), "", penalty.AuthFail); err != nil {
			t.Fatal(err)
		}
	}
	table.Add(netip.MustParseAddr("192.0.2.8"), "", penalty.NoAuth)
	lines := strings.Split(list(), "\n")
	for i, want := range []string{"SOURCE STATE LEFT LATEST", " refused 1m0s authfail", " refused 1m0s authfail", "192.0.2.8/32 watched 1s noauth", ""} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasSuffix(got, strings.TrimSpace(want)) {
			t.Errorf("line %d = %q; want %q", i, got, want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"2001:db8::/64", "penalty of 2001:db8:: cleared\n"},
		{"192.0.2.7", "penalty of 192.0.2.7 cleared\n"},
		{"192.0.2.7", "192.0.2.7 has no penalty\n"},
	} {
		var out strings.Builder
		if err := clearPenalty(&out, table, c.text); err != nil || out.String() != c.want {
			t.Errorf("clear %s: %q, %v; want %q", c.text, out.String(), err, c.want)
		}
	}
	table.Shared = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	for _, user := range []string{"alice", "bob"} {
		table.Add(netip.MustParseAddr("192.0.2.1"), user, penalty.AuthFail)
	}
	if got := regexp.MustCompile(`(?m)^192\.0\.2\.1/32 user [0-9a-f]{8} +refused +1m0s +authfail$`).FindAllString(list(), -1); len(got) != 2 {
		t.Errorf("the users of a shared source are listed as\n%s", list())
	}
	var out strings.Builder
	if err := clearPenalty(&out, table, "192.0.2.1"); err != nil || strings.Contains(list(), " user ") {
		t.Errorf("clear of a shared source: %v, left\n%s", err, list())
	}
	if err := clearPenalty(&strings.Builder{}, table, "alice"); err == nil {
		t.Error("clear took a name")
	}
	if got := list(); strings.Contains(got, "refused") {
		t.Errorf("still refused: %s", got)
	}
}
