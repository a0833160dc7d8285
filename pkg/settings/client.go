package settings

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Client holds the settings of rexec.toml(5).
type Client struct {
	Netrc               bool
	CommandLinePassword bool
	OS2Variables        bool
	ConnectTimeout      time.Duration
	Timeout             time.Duration // 0: no limit
	Stderr              StderrMode
	StderrPorts         Ports
	StderrTimeout       time.Duration
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

// DefaultClient returns the settings of an empty file.
func DefaultClient() *Client {
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
		{name: "stderr_ports", value: portsValue{&c.StderrPorts}},
		{name: "stderr_timeout", value: limit(&c.StderrTimeout)},
	}
}

// ReadClient returns the settings of a file, which may be absent. One with a
// mistake is an error: what it was to forbid is not known.
func ReadClient(file string) (*Client, error) {
	c, from := DefaultClient(), Sources{}
	if err := from.read(file, c.keys()); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
