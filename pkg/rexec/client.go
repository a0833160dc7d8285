// Package rexec is a client of rexec(3), shaped like os/exec: a Client names the
// server to use, a Session is one command. The protocol itself is package wire.
package rexec

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"rexecd/pkg/rexec/wire"
)

// Timeouts that apply where a Client sets none.
const (
	DefaultTimeout       = 60 * time.Second // as long as servers wait for a login
	DefaultStderrTimeout = 15 * time.Second // GNU's client gives up after 5 s, BSD's never
)

// A Client names the server and the user to be there. It keeps no
// connection: rexec has one connection (or two) for each command, so one
// Client serves any number of Sessions, also at once.
type Client struct {
	Host     string // name or numeric address, IPv6 with or without brackets
	Port     int    // 0: 512, "exec" of services(5); with Rsh 514, "shell"
	Network  string // "tcp4" or "tcp6" to use only these; "": both
	User     string
	Password string

	// Timeout is how long Start may take, from the first look-up to the
	// server's status byte, retries included. 0: DefaultTimeout; < 0: no limit.
	Timeout time.Duration

	// Stderr determines whether the server is to make a second connection for the
	// command's standard error. Without it the command's standard error comes
	// mixed into its output, and no signal can be sent.
	Stderr StderrMode

	// StderrPorts are the local ports the stderr connection may come in on:
	// what a firewall lets through. The zero value lets the kernel choose.
	StderrPorts PortRange

	// StderrFrom is where the stderr connection may come from besides the
	// server's address: a server with several addresses, or behind address
	// translation, connects from another. Whoever is in these networks can
	// take the connection's place.
	StderrFrom []netip.Prefix

	// StderrTimeout is how long to wait for the stderr connection. 0:
	// DefaultStderrTimeout. With StderrAuto never more than half of Timeout.
	StderrTimeout time.Duration

	// TLS, if set, is used on both connections, of which the client is the TLS client.
	// ServerName and NextProtos are filled in where they are empty.
	TLS *tls.Config

	// Quirks of this server.
	Quirks Quirks

	// Rsh, if set, has the client speak the protocol of rsh(1) and rcmd(3), and
	// says what that needs besides.
	Rsh *Rsh

	// Trace, if set, gets each step of the protocol in one line. The
	// password is never among them. Calls may come from several goroutines.
	Trace func(step string)
}

// StderrMode is whether to have a stderr connection.
type StderrMode int

const (
	StderrYes  StderrMode = iota // required
	StderrNo                     // one connection only
	StderrAuto                   // if it does not come, begin again with one connection only
)

// A PortRange is the ports from First to Last.
type PortRange struct{ First, Last int }

// Quirks are the ways of servers that do not show in the bytes they
// send. All others are noticed without being asked for.
type Quirks struct {
	// NoStatus: the server sends no status byte at all, as NuttX does; all
	// that comes on the primary connection is the command's.
	NoStatus bool
	// LateStderr: the server connects for stderr only after it has read
	// the password, as OpenBSD and netkit 0.09 do. The complete request is
	// sent at once then.
	LateStderr bool
	// StatusOnPrimary: a NUL on the stderr connection is never the status
	// byte, not even when it arrives first (GNU's servers since 1.9.2 send it
	// there).
	StatusOnPrimary bool
	// StatusOnStderr: the status byte comes on the stderr connection if there
	// is one, and all that comes on the primary is the command's. GNU's
	// servers need it only for output that begins with a NUL, which may
	// overtake the status byte.
	StatusOnStderr bool
}

// Command prepares a session that runs command by the user's shell on the
// server. When ctx ends, so does the session: both connections are closed.
func (c *Client) Command(ctx context.Context, command string) *Session {
	return &Session{client: c, ctx: ctx, command: command}
}

// request is what is sent before the command's input, after the port.
func (c *Client) request(command string) ([]byte, error) {
	fields := []field{{"user name", c.User}, {"password", c.Password}, {"command", command}}
	if c.Rsh != nil {
		var err error
		if fields, err = c.Rsh.fields(c.User, c.Password, command); err != nil {
			return nil, err
		}
	}
	var request []byte
	for _, field := range fields {
		if strings.IndexByte(field.value, 0) >= 0 {
			return nil, fmt.Errorf("send %s: a NUL byte cannot be part of it", field.name)
		}
		request = append(append(request, field.value...), 0)
	}
	return request, nil
}

// A field of a request.
type field struct{ name, value string }

func (c *Client) port() int {
	switch {
	case c.Port != 0:
		return c.Port
	case c.Rsh != nil:
		return wire.ShellPort
	}
	return wire.Port
}

func (c *Client) stderrTimeout() time.Duration {
	if c.StderrTimeout == 0 {
		return DefaultStderrTimeout
	}
	return c.StderrTimeout
}

// withTimeout bounds Start.
func (c *Client) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case c.Timeout < 0:
		return context.WithCancel(ctx)
	case c.Timeout == 0:
		return context.WithTimeout(ctx, DefaultTimeout)
	}
	return context.WithTimeout(ctx, c.Timeout)
}

func (c *Client) trace(format string, args ...any) {
	if c.Trace != nil {
		c.Trace(fmt.Sprintf(format, args...))
	}
}
