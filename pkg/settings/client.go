package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Client is the settings of rexec.toml(5).
type Client struct {
	Netrc               bool
	CommandLinePassword bool
	OS2Variables        bool
	ConnectTimeout      time.Duration
	Timeout             time.Duration // 0: no limit
	Stderr              StderrMode
	StderrFrom          []netip.Prefix // who may make that connection, besides the server's own address
	StderrPorts         Ports
	StderrTimeout       time.Duration
	hosts               []*host
}

// A host is the table [host."NAME"].
type host struct {
	Name       string // in lower case
	StderrFrom []netip.Prefix
	TLS        HostTLS
}

// HostTLS is how a host is spoken to with TLS. What is empty was not given.
type HostTLS struct {
	Use       bool
	CA        string // files in PEM
	Cert, Key string
	Name      string // in the server's certificate
}

// TLSOf returns the setting for a host, named as on the command line.
func (c *Client) TLSOf(host string) HostTLS {
	for _, h := range c.hosts {
		if h.Name == strings.ToLower(host) {
			return h.TLS
		}
	}
	return HostTLS{}
}

// StderrFromOf returns the setting for a host, named as on the command line.
func (c *Client) StderrFromOf(host string) []netip.Prefix {
	for _, h := range c.hosts {
		if h.Name == strings.ToLower(host) && h.StderrFrom != nil {
			return h.StderrFrom
		}
	}
	return c.StderrFrom
}

// host returns the keys of a host's table.
func (c *Client) host(name string) table {
	name = strings.ToLower(name)
	i := slices.IndexFunc(c.hosts, func(h *host) bool { return h.Name == name })
	if i < 0 {
		i = len(c.hosts)
		c.hosts = append(c.hosts, &host{Name: name})
	}
	h := c.hosts[i]
	return table{
		{name: "stderr_from", value: fromValue{&h.StderrFrom}},
		{name: "tls", value: boolValue{&h.TLS.Use}},
		{name: "tls_ca", value: pathValue{&h.TLS.CA, false}},
		{name: "tls_cert", value: pathValue{&h.TLS.Cert, false}},
		{name: "tls_key", value: pathValue{&h.TLS.Key, false}},
		{name: "tls_name", value: stringValue{&h.TLS.Name, "a name"}},
	}
}

// StderrMode is whether the client asks for a connection for standard error.
type StderrMode string

// The values of StderrMode.
const (
	StderrYes  StderrMode = "yes"
	StderrNo   StderrMode = "no"
	StderrAuto StderrMode = "auto"
)

// Ports is a range of ports. The zero Ports are any.
type Ports struct{ First, Last int }

// defaultClient returns the settings of an empty file.
func defaultClient() *Client {
	return &Client{
		Netrc:               true,
		CommandLinePassword: true,
		ConnectTimeout:      time.Minute,
		Stderr:              StderrYes,
		StderrTimeout:       15 * time.Second,
	}
}

// keys binds the names in the file to the fields.
func (c *Client) keys() table {
	limit := func(field *time.Duration) timeValue { return timeValue{field, time.Millisecond, 8760 * time.Hour} }
	return table{
		{name: "netrc", value: boolValue{&c.Netrc}},
		{name: "command_line_password", value: boolValue{&c.CommandLinePassword}},
		{name: "os2_variables", value: boolValue{&c.OS2Variables}},
		{name: "connect_timeout", value: limit(&c.ConnectTimeout)},
		{name: "timeout", value: limit(&c.Timeout)},
		{name: "stderr", value: choice(&c.Stderr, StderrYes, StderrNo, StderrAuto)},
		{name: "stderr_from", value: fromValue{&c.StderrFrom}},
		{name: "stderr_ports", value: portsValue{&c.StderrPorts}},
		{name: "stderr_timeout", value: limit(&c.StderrTimeout)},
		{name: "host", table: table{{each: func(name string) key { return key{table: c.host(name)} }}}},
	}
}

// ReadClient returns the settings of a file, which may be absent. One with a
// mistake is an error: what it was to forbid is not known.
func ReadClient(file string) (*Client, error) {
	c, from := defaultClient(), Sources{}
	if err := from.read(file, c.keys); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return c, nil
}

// A portsValue is a range of ports, or one port.
type portsValue struct{ field *Ports }

func (v portsValue) set(n *unstable.Node) *unstable.Node {
	low, high, isRange := strings.Cut(string(n.Data), "-")
	if !isRange {
		high = low
	}
	first, err := strconv.ParseUint(low, 10, 16)
	if err != nil || first == 0 || n.Kind != unstable.String {
		return n
	}
	last, err := strconv.ParseUint(high, 10, 16)
	if err != nil || last < first {
		return n
	}
	*v.field = Ports{int(first), int(last)}
	return nil
}

func (portsValue) allowed() string {
	return `a range of ports from 1 to 65535, as in "50000-50099"`
}

func (v portsValue) String() string {
	return strconv.Quote(strconv.Itoa(v.field.First) + "-" + strconv.Itoa(v.field.Last))
}

// A fromValue is any, or addresses and networks, as the option takes them.
type fromValue struct{ field *[]netip.Prefix }

func (v fromValue) set(n *unstable.Node) *unstable.Node {
	if n.Kind != unstable.String {
		return n
	}
	list, err := ParseFrom(string(n.Data))
	if err != nil {
		return n
	}
	*v.field = list
	return nil
}

func (fromValue) allowed() string {
	return `"any", or addresses and networks with commas between them, as in "192.0.2.7,2001:db8::/32"`
}

func (v fromValue) String() string {
	words := make([]string, len(*v.field))
	for i, network := range *v.field {
		words[i] = network.String()
	}
	return strconv.Quote(strings.Join(words, ","))
}

// ParseFrom reads "any", or addresses and networks with commas between them.
func ParseFrom(value string) ([]netip.Prefix, error) {
	if value == "any" {
		return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}, nil
	}
	var all []netip.Prefix
	for word := range strings.SplitSeq(value, ",") {
		network, err := netip.ParsePrefix(word)
		if addr, e := netip.ParseAddr(word); e == nil && addr.Zone() == "" {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || network != network.Masked() {
			return nil, fmt.Errorf("%q is not any, an address or a network such as 192.0.2.0/24", word)
		}
		all = append(all, network)
	}
	return all, nil
}
