package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rexecd/pkg/penalty"
	"rexecd/pkg/rexecd"
)

// A penaltySetting is one key of the table [penalties] of rexecd.toml(5).
type penaltySetting struct {
	key     string
	allowed string // for the error
	set     func(t *penalty.Table, value any) bool
}

var penaltySettings = []penaltySetting{
	{"enabled", "true or false", func(_ *penalty.Table, v any) bool { _, ok := v.(bool); return ok }},
	{"authfail", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.AuthFail] })},
	{"noauth", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.NoAuth] })},
	{"grace_exceeded", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.GraceExceeded] })},
	{"protocol", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Amount[penalty.Protocol] })},
	{"min", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Min })},
	{"max", seconds, amount(func(t *penalty.Table) *time.Duration { return &t.Max })},
	{"exempt", `a list of addresses and networks, such as ["192.0.2.7", "2001:db8::/32"]`, exempt},
	{"ipv4_bits", "a number of bits from 8 to 32", prefixBits(8, 32, func(t *penalty.Table) *int { return &t.Bits4 })},
	{"ipv6_bits", "a number of bits from 16 to 128", prefixBits(16, 128, func(t *penalty.Table) *int { return &t.Bits6 })},
}

const seconds = "a number of seconds from 0 to 86400"

func amount(field func(*penalty.Table) *time.Duration) func(*penalty.Table, any) bool {
	return func(t *penalty.Table, v any) bool {
		n, ok := v.(int64)
		*field(t) = time.Duration(n) * time.Second
		return ok && 0 <= n && n <= 86400
	}
}

func prefixBits(least, most int64, field func(*penalty.Table) *int) func(*penalty.Table, any) bool {
	return func(t *penalty.Table, v any) bool {
		n, ok := v.(int64)
		*field(t) = int(n)
		return ok && least <= n && n <= most
	}
}

func exempt(t *penalty.Table, v any) bool {
	list, ok := v.([]any)
	for _, v := range list {
		text, _ := v.(string)
		network, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return false
			}
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		if addr := network.Addr(); addr.Is4In6() { // peers are IPv4 when they are
			if network.Bits() < 96 {
				return false
			}
			network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
		}
		t.Exempt = append(t.Exempt, network.Masked())
	}
	return ok
}

// applyPenalties applies the table [penalties] and takes it out of the values.
// Its errors begin with the line.
func applyPenalties(s *rexecd.Server, values map[string]any, text string) error {
	value, ok := values["penalties"]
	if !ok {
		return nil
	}
	delete(values, "penalties")
	given, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%d: penalties = %s: must be a table, [penalties]", lineOf(text, "penalties"), written(value))
	}
	// Keys have the same names as others outside the table: their lines are looked for behind its head.
	before, table, found := strings.Cut(text, "[penalties]")
	line := func(key string) int {
		if found {
			return strings.Count(before, "\n") + lineOf(table, key)
		}
		return lineOf(text, "penalties")
	}
	var keys []string
	for _, known := range penaltySettings {
		keys = append(keys, known.key)
		v, ok := given[known.key]
		if ok && !known.set(s.Penalties, v) {
			return fmt.Errorf("%d: %s = %s: must be %s", line(known.key), known.key, written(v), known.allowed)
		}
	}
	for key := range given {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("%d: unknown setting %q in [penalties]: the settings are %s", line(key), key, strings.Join(keys, ", "))
		}
	}
	if on, ok := given["enabled"].(bool); ok && !on {
		s.Penalties = nil
		return nil
	}
	if p := s.Penalties; p.Max <= p.Min {
		key := "max"
		if _, ok := given[key]; !ok {
			key = "min"
		}
		return fmt.Errorf("%d: max = %d, min = %d: max must be more than min, or nobody is ever made to wait: that is enabled = false",
			line(key), p.Max/time.Second, p.Min/time.Second)
	}
	return nil
}
