package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
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
	{"exempt", `a list of addresses and networks, such as ["192.0.2.7", "2001:db8::/32"]`, networks(func(t *penalty.Table) *[]netip.Prefix { return &t.Exempt })},
	{"shared", `a list of addresses and networks, such as ["192.0.2.7", "2001:db8::/32"]`, networks(func(t *penalty.Table) *[]netip.Prefix { return &t.Shared })},
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

func networks(field func(*penalty.Table) *[]netip.Prefix) func(*penalty.Table, any) bool {
	return func(t *penalty.Table, v any) bool {
		list, ok := v.([]any)
		for _, v := range list {
			text, _ := v.(string)
			network, ok := parseNetwork(text)
			if !ok {
				return false
			}
			*field(t) = append(*field(t), network)
		}
		return ok
	}
}

// parseNetwork reads an address or a network, an IPv4-mapped one as IPv4: peers
// are IPv4 when they are.
func parseNetwork(text string) (netip.Prefix, bool) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, false
		}
		network = netip.PrefixFrom(addr, addr.BitLen())
	}
	if addr := network.Addr(); addr.Is4In6() {
		if network.Bits() < 96 {
			return netip.Prefix{}, false
		}
		network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
	}
	return network.Masked(), true
}

// applyPenalties applies the table [penalties] and takes it out of the values.
// Its errors begin with the line.
func applyPenalties(s *rexecd.Config, values map[string]any, text string) error {
	value, ok := values["penalties"]
	if !ok {
		return nil
	}
	delete(values, "penalties")
	given, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%d: penalties = %s: must be a table, [penalties]", lineOf(text, "penalties"), written(value))
	}
	// Keys have the same names as others outside the table: their lines are looked for after its head.
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

// penalties is -penalties: it lists the sources that have failed lately; with
// "clear" it forgets them all, or those of the addresses that follow, with every
// user behind a shared one.
func penalties(out io.Writer, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("penalties are kept for the server that runs as root: run sudo in.rexecd -penalties")
	}
	s, err := o.server()
	if err != nil {
		return err
	}
	table := s.Penalties
	if table == nil {
		fmt.Fprintln(out, "penalties are off: enabled = false in [penalties]")
		table = penalty.Default()
	}
	switch {
	case len(o.args) == 0:
		return listPenalties(out, table)
	case o.args[0] != "clear":
		return fmt.Errorf("unexpected argument %q: in.rexecd -penalties lists, in.rexecd -penalties clear [address ...] forgets", o.args[0])
	case len(o.args) == 1:
		if err := table.ClearAll(); err != nil {
			return err
		}
		fmt.Fprintln(out, "all penalties cleared")
		return nil
	}
	for _, text := range o.args[1:] {
		if err := clearPenalty(out, table, text); err != nil {
			return err
		}
	}
	return nil
}

func clearPenalty(out io.Writer, table *penalty.Table, text string) error {
	addr, err := netip.ParseAddr(text)
	if network, e := netip.ParsePrefix(text); e == nil { // as the list shows it
		addr, err = network.Addr(), nil
	}
	if err != nil {
		return fmt.Errorf("%q is no address: give it in numbers, such as 192.0.2.7", text)
	}
	found, err := table.Clear(addr)
	switch {
	case err != nil:
		return err
	case found:
		fmt.Fprintf(out, "penalty of %v cleared\n", addr)
	default:
		fmt.Fprintf(out, "%v has no penalty\n", addr)
	}
	return nil
}

func listPenalties(out io.Writer, table *penalty.Table) error {
	list, err := table.List()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "no source has a penalty")
		return nil
	}
	slices.SortFunc(list, func(a, b penalty.Penalty) int { return cmp.Compare(b.Left, a.Left) })
	const line = "%-45v %-8v %-8v %v\n"
	fmt.Fprintf(out, line, "SOURCE", "STATE", "LEFT", "LATEST")
	for _, p := range list {
		state := "watched"
		if p.Active {
			state = "refused"
		}
		fmt.Fprintf(out, line, p.Origin(), state, p.Left.Round(time.Second), p.Last)
	}
	return nil
}
