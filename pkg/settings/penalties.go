package settings

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Penalties is the table [penalties].
type Penalties struct {
	Enabled       bool
	AuthFail      time.Duration // what each kind of failure adds
	NoAuth        time.Duration
	GraceExceeded time.Duration
	Protocol      time.Duration
	Min, Max      time.Duration
	Exempt        []netip.Prefix
	Shared        []netip.Prefix // where address and user name together are a source
	IPv4Bits      int
	IPv6Bits      int
}

// defaultPenalties are the amounts of OpenSSH 9.9. Its penalty for a server
// process that crashed has no counterpart; sending what is not the protocol,
// the nearest thing, costs as much as OpenSSH's refuseconnection.
//
// A source is one IPv4 address, or one IPv6 network of 64 bits, whose owner has
// all of its addresses.
func defaultPenalties() Penalties {
	return Penalties{
		Enabled:       true,
		AuthFail:      5 * time.Second,
		NoAuth:        time.Second,
		GraceExceeded: 10 * time.Second,
		Protocol:      10 * time.Second,
		Min:           15 * time.Second,
		Max:           10 * time.Minute,
		IPv4Bits:      32,
		IPv6Bits:      64,
	}
}

func (p *Penalties) keys() table {
	amount := func(field *time.Duration) timeValue { return timeValue{field, 0, 24 * time.Hour} }
	return table{
		{name: "enabled", value: boolValue{&p.Enabled}},
		{name: "authfail", value: amount(&p.AuthFail)},
		{name: "noauth", value: amount(&p.NoAuth)},
		{name: "grace_exceeded", value: amount(&p.GraceExceeded)},
		{name: "protocol", value: amount(&p.Protocol)},
		{name: "min", value: amount(&p.Min)},
		{name: "max", value: amount(&p.Max)},
		{name: "exempt", value: networksValue{&p.Exempt}},
		{name: "shared", value: networksValue{&p.Shared}},
		{name: "ipv4_bits", value: numberValue{&p.IPv4Bits, "a number of bits", 8, 32}},
		{name: "ipv6_bits", value: numberValue{&p.IPv6Bits, "a number of bits", 16, 128}},
	}
}

// check compares min and max. Two files may have set them, so
// that it names the place of the one that was set, of max if both were.
func (p *Penalties) check(from Sources) error {
	if !p.Enabled || p.Max > p.Min {
		return nil
	}
	at, ok := from.origins["penalties.max"]
	if !ok {
		at = from.origins["penalties.min"]
	}
	return fmt.Errorf("%v:%d: penalties.max = %v, penalties.min = %v: "+
		"max must be more than min; to penalise nobody, set enabled = false",
		at, at.Column, timeValue{field: &p.Max}, timeValue{field: &p.Min})
}

// A networksValue is a list of addresses and networks. Peers are IPv4 where
// they are, so that an IPv4 address in IPv6 notation would match nobody; a
// network with bits after its prefix is one that somebody mistyped.
type networksValue struct{ field *[]netip.Prefix }

func (v networksValue) set(n *unstable.Node) *unstable.Node {
	var list []netip.Prefix
	wrong := setList(n, func(text string) bool {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return false
			}
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, network)
		return network == network.Masked() && !network.Addr().Is4In6()
	})
	if wrong == nil {
		*v.field = list
	}
	return wrong
}

func (networksValue) allowed() string {
	return `a list of addresses and networks, as in ["192.0.2.7", "2001:db8::/32"]: ` +
		`no bits after a network's prefix, no IPv4 in IPv6 notation`
}

func (v networksValue) String() string {
	list := make([]string, len(*v.field))
	for i, network := range *v.field {
		if list[i] = network.String(); network.IsSingleIP() {
			list[i] = network.Addr().String()
		}
	}
	return formatList(list)
}
