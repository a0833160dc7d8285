package rexecd

import (
	"net/netip"
	"strings"
	"testing"
)

func TestATitleHasTheAccountAndThePeerAndIsPrintable(t *testing.T) {
	for _, c := range []struct{ account, peer, want string }{
		{"alice", "192.0.2.7", "alice [192.0.2.7]"},
		{"alice", "::ffff:192.0.2.7", "alice [192.0.2.7]"},
		{`EXAMPLE\al ice`, "2001:db8::1", `EXAMPLE\al ice [2001:db8::1]`},
		{"a\x1b[31m\nb\x00c\x7f\xff\u00e9", "fe80::1%eth0", "a?[31m?b?c???? [fe80::1%eth0]"},
		{strings.Repeat("n", 300), "192.0.2.7", strings.Repeat("n", 61) + "... [192.0.2.7]"},
	} {
		if got := title(c.account, netip.MustParseAddr(c.peer)); got != c.want {
			t.Errorf("title(%q, %s) = %q; want %q", c.account, c.peer, got, c.want)
		}
	}
}
