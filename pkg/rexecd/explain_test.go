package rexecd

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/passwd"
	"rexecd/pkg/rexec/wire"
)

// Whom a name is from an address, -explain says as the server finds it: a guest, the
// account of one of the name's forms, or nobody.
func TestTheServerAndItsExplanationAgreeOnWhoSomebodyIs(t *testing.T) {
	needRoot(t) // without it, there are no guests
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	seen := map[string]int{}
	for i := range 3_000 {
		s := &Server{Config: DefaultConfig()}
		s.Config.names = names{fold: r.IntN(2) == 0, domain: pick("", "", "nobod%u", `X\%u`)}
		if r.IntN(4) > 0 {
			s.Config.guests = guests{
				name: pick("guest", "GUEST", "daemon", "y"), accounts: []string{pick("bin", "root", "no-such-user"), "sync"},
				from: []netip.Prefix{netip.MustParsePrefix(pick("192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"))},
			}
		}
		user, peer := pick("guest", "GUEST", "Guest", "daemon", "DAEMON", "Y", "y", "nobody"), netip.MustParseAddr(pick(peers...))
		text, allowed, err := s.Explain(user, peer, netip.Addr{}, "", "id")

		kind := "somebody"
		grace := &deadline{at: time.Now().Add(time.Hour)}
		id := s.identify(user, false, grace)
		switch {
		case s.welcomes(&wire.Request{User: user}, peer):
			if kind = "guest"; s.welcomes(&wire.Request{User: user, Password: []byte("x")}, peer) {
				t.Fatalf("case %d: %q is a guest with a password", i, user)
			}
			first := s.Config.guests.accounts[0]
			if first != "bin" {
				first = "sync"
			}
			if err != nil || !allowed || !strings.Contains(text, "\nuser: \""+first+"\", ") || !strings.Contains(text, "\ninput: none\n") {
				t.Fatalf("case %d: the guest %q from %v: %v, %v\n%s", i, user, peer, allowed, err, text)
			}
		case id.account == nil:
			kind = "nobody"
			if !errors.Is(err, passwd.ErrUnknown) || allowed || strings.Contains(text, "user: ") {
				t.Fatalf("case %d: nobody is %q from %v: %v, %v\n%s", i, user, peer, allowed, err, text)
			}
		default:
			line := "\nuser: \"" + id.account.Name + "\", "
			if err != nil || !allowed || !strings.Contains("\n"+text, line) || strings.Contains(text, "guest account") {
				t.Fatalf("case %d: %q from %v: %v, %v\n%s", i, user, peer, allowed, err, text)
			}
			if (id.account.Name != user) != strings.Contains(text, "login: looked up as ") {
				t.Fatalf("case %d: %q is %q\n%s", i, user, id.account.Name, text)
			}
		}
		seen[kind]++
	}
	for _, kind := range []string{"guest", "somebody", "nobody"} {
		if seen[kind] < 200 {
			t.Errorf("%v: the cases are one-sided", seen)
		}
	}
}

// What no rule can permit is not said to be allowed: scripts read the exit status.
func TestTheExplanationAllowsRootOnlyWhereTheServerDoes(t *testing.T) {
	for _, permit := range []bool{false, true} {
		s := &Server{Config: DefaultConfig()}
		s.Config.PermitRoot = permit
		text, allowed, err := s.Explain("root", netip.MustParseAddr("192.0.2.7"), netip.Addr{}, "", "id")
		if err != nil || allowed != permit || strings.HasPrefix(text, "login: refused, as root is not permitted") == permit {
			t.Errorf("permit_root = %v: %v, %v\n%s", permit, allowed, err, text)
		}
	}
}
