package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"rexecd/pkg/penalty"
	"rexecd/pkg/settings"
)

// penalties is -penalties: it lists the sources that have failed lately; with
// "clear" it forgets them all, or those of the addresses that follow, with every
// user behind a shared one.
func penalties(out io.Writer, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("penalties are kept for the server that runs as root: run sudo rexecd -penalties")
	}
	set, _, err := settings.ReadServer(o.config)
	if err != nil {
		return err
	}
	if !set.Penalties.Enabled {
		fmt.Fprintln(out, "penalties are off: enabled = false in [penalties]")
	}
	// These find the entries; the others are for further failures.
	p := set.Penalties
	table := &penalty.Table{Dir: penalty.Dir, Max: p.Max, Shared: p.Shared, Bits4: p.IPv4Bits, Bits6: p.IPv6Bits}
	switch {
	case len(o.args) == 0:
		return listPenalties(out, table)
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
