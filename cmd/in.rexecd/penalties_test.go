package main

import (
	"fmt"
	"strings"
	"testing"

	"rexecd/pkg/penalty"
	"rexecd/pkg/rexecd"
)

func TestPenaltySettingsAreApplied(t *testing.T) {
	s := &rexecd.Server{Penalties: penalty.Default()}
	err := apply(s, `grace = 20
[penalties]
authfail = 7
noauth = 0
grace_exceeded = 8
protocol = 9
min = 30
max = 3600
exempt = ["192.0.2.7", "198.51.100.9/24", "2001:db8::/32", "::ffff:203.0.113.5", "::ffff:233.252.0.0/120"]
ipv4_bits = 24
ipv6_bits = 56
`)
	p := s.Penalties
	got := fmt.Sprint(err, p.Amount, p.Min, p.Max, p.Exempt, p.Bits4, p.Bits6, s.Grace)
	if want := "<nil> [7s 0s 8s 9s] 30s 1h0m0s [192.0.2.7/32 198.51.100.0/24 2001:db8::/32 203.0.113.5/32 233.252.0.0/24] 24 56 20s"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if err := apply(s, "[penalties]\nenabled = true\n"); err != nil || s.Penalties == nil {
		t.Errorf("enabled = true: %v, %v", s.Penalties, err)
	}
	if err := apply(s, "penalties = { enabled = false }\n"); err != nil || s.Penalties != nil {
		t.Errorf("enabled = false: %v, %v", s.Penalties, err)
	}
}

func TestAWrongPenaltySettingNamesItselfAndItsLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\n[penalties]\n\nauthfail = -1\n", `4: authfail = -1: must be a number of seconds from 0 to 86400`},
		{"[penalties]\nmin = 1.5", `2: min = 1.5: must be a number`},
		{"[penalties]\nmax = 86401", `2: max = 86401: must be`},
		{"grace = 3\n[penalties]\ngrace = 3", `3: unknown setting "grace" in [penalties]: the settings are enabled, authfail, `},
		{"[penalties]\nenabled = \"no\"", `2: enabled = "no": must be true or false`},
		{"[penalties]\nexempt = \"192.0.2.7\"", `2: exempt = "192.0.2.7": must be a list`},
		{"[penalties]\nexempt = [7]", `2: exempt = [7]: must be a list`},
		{"[penalties]\nexempt = [\"host.example\"]", `2: exempt = [host.example]: must be a list`},
		{"[penalties]\nexempt = [\"192.0.2.0/33\"]", `2: exempt =`},
		{"[penalties]\nexempt = [\"fe80::1%eth0\"]", `2: exempt =`},
		{"[penalties]\nexempt = [\"::ffff:0:0/95\"]", `2: exempt =`},
		{"[penalties]\nmax = 10", `2: max = 10, min = 15: max must be more than min`},
		{"[penalties]\nauthfail = 1\nmin = 700", `3: max = 600, min = 700: max must be more`},
		{"[penalties]\nmin = 600\nmax = 600", `3: max = 600, min = 600: max must be more`},
		{"[penalties]\nipv4_bits = 0", `2: ipv4_bits = 0: must be a number of bits from 8 to 32`},
		{"[penalties]\nipv6_bits = 129", `2: ipv6_bits = 129: must be`},
		{"\npenalties.min = -5", `2: min = -5: must be`},
		{"\npenalties = true", `2: penalties = true: must be a table, [penalties]`},
		{"[penalties]\nenabled = false\nmin = -5", `3: min = -5: must be`},
	} {
		err := apply(&rexecd.Server{Penalties: penalty.Default()}, c.text)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v; want %s", c.text, err, c.want)
		}
	}
}
