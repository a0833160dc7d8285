package settings

import (
	"strings"
	"testing"
)

func TestAWrongPenaltySettingNamesItsTableToo(t *testing.T) {
	const networks = `a list of addresses and networks, as in ["192.0.2.7", `
	for _, tt := range []struct{ text, want string }{
		{"\n[penalties]\n\nauthfail = -1\n", "4:12: penalties.authfail = -1: must be a time from 0s to 24h, "},
		{"[penalties]\nauthfail = \"0\"", `2:12: penalties.authfail = "0": must be a time`},
		{"[penalties]\nmin = 1.5", `2:7: penalties.min = 1.5: must be a time`},
		{"[penalties]\nmax = 86401", `2:7: penalties.max = 86401: must be`},
		{"[penalties]\nenabled = \"no\"", `2:11: penalties.enabled = "no": must be true or false`},
		{"[penalties]\nexempt = \"192.0.2.7\"", `2:10: penalties.exempt = "192.0.2.7": must be ` + networks},
		{"[penalties]\nexempt = [7]", `2:11: penalties.exempt = [7]: must be ` + networks},
		{"[penalties]\nexempt = [\"::1\", \"host.example\"]", `2:18: penalties.exempt = ["host.example"]: must be ` + networks},
		{"[penalties]\nshared = [\"192.0.2.0/33\"]", `2:11: penalties.shared = ["192.0.2.0/33"]: must be ` + networks},
		{"[penalties]\nshared = [\"192.0.2.1/24\"]", `2:11: penalties.shared = ["192.0.2.1/24"]: must be ` + networks},
		{"[penalties]\nshared = [\"::ffff:192.0.2.1\"]", `2:11: penalties.shared = ["::ffff:192.0.2.1"]: must be ` + networks},
		{"[penalties]\nexempt = [\"::ffff:192.0.2.0/120\"]", `2:11: penalties.exempt = ["::ffff:192.0.2.0/120"]: must be ` + networks},
		{"[penalties]\nexempt = [\"::ffff:0:0/95\"]", `2:11: penalties.exempt = `},
		{"[penalties]\nexempt = [\"fe80::1%eth0\"]", `2:11: penalties.exempt = `},
		{"[penalties]\nmax = 10", `2:1: penalties.max = "10s", penalties.min = "15s": max must be more than min`},
		{"[penalties]\nauthfail = 1\nmin = 700", `3:1: penalties.max = "10m", penalties.min = "11m40s": max must be more`},
		{"[penalties]\nmax = 600\nmin = 600", `2:1: penalties.max = "10m", penalties.min = "10m": max must be more`},
		{"[penalties]\nipv4_bits = 0", `2:13: penalties.ipv4_bits = 0: must be a number of bits from 8 to 32`},
		{"[penalties]\nipv6_bits = 129", `2:13: penalties.ipv6_bits = 129: must be`},
		{"\npenalties.min = -5", `2:17: penalties.min = -5: must be`},
		{"penalties = {max = 1, min = -5}", `1:29: penalties.min = -5: must be`},
		{"\npenalties = true", `2:13: penalties = true: must be a table, [penalties]`},
		{"penalties = []", `1:13: penalties = a list: must be a table, [penalties]`},
		{"[[penalties]]\nmin = 1", `1:3: penalties = a list of tables: must be one table, [penalties]`},
		{"[penalties]\nenabled = false\nmin = -5", `3:7: penalties.min = -5: must be`},
	} {
		if _, _, err := decodeServer(tt.text); err == nil || !strings.HasPrefix(err.Error(), "FILE:"+tt.want) {
			t.Errorf("%q:\n got %v\nwant FILE:%s", tt.text, err, tt.want)
		}
	}
}
