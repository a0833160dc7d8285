package rexec

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// Rsh is what a client of rsh(1)'s protocol has besides its Client. Where the account
// trusts it, it needs no password.
type Rsh struct {
	// ClientUser is who asks. Servers that trust this host believe it, so a program
	// with more rights than its user's must give that user's own name.
	ClientUser string

	// Password has Client.Password sent, too: after the user name and a slash, as
	// z/OS does it. Other servers than in.rshd(8) take both for the name.
	Password bool

	// Reserved has the connection come from a port below 1024, and the stderr
	// connection go from such a port to such a port, as rcmd(3) does it. Most servers
	// hang up on any other. It takes the right to bind them, until Start returns.
	Reserved bool
}

// fields are those of the request.
func (r *Rsh) fields(user, password, command string) ([]field, error) {
	if r.Password {
		if strings.Contains(user, "/") {
			return nil, errors.New("send user name: it cannot have a slash, after which the password comes")
		}
		user += "/" + password
	}
	if command == "" {
		return nil, errors.New("send command: an empty one is a request for rlogin, which is not here")
	}
	return []field{{"client's user name", r.ClientUser}, {"user name", user}, {"command", command}}, nil
}

// traceRequest notes what is sent.
func (c *Client) traceRequest(command string) {
	switch {
	case c.Rsh == nil:
		c.trace("sending user %q, password, command %q", c.User, command)
	case c.Rsh.Password:
		c.trace("sending client's user %q, user %q, password, command %q", c.Rsh.ClientUser, c.User, command)
	default:
		c.trace("sending client's user %q, user %q, command %q", c.Rsh.ClientUser, c.User, command)
	}
}

// reservedPorts are those of rresvport(3), from the last, without those of servers:
// exec, login, shell, printer, klogin, kshell.
func reservedPorts() (ports []int) {
	for port := 1023; port > 515; port-- {
		if port != 543 && port != 544 {
			ports = append(ports, port)
		}
	}
	return ports
}

// fromReserved reports whether a connection comes from a port that only root can have.
func fromReserved(from net.Addr) bool {
	addr, ok := from.(*net.TCPAddr)
	return ok && addr.Port < 1024 && addr.Port >= 512
}

// dialReserved connects from the first reserved port that is free.
func dialReserved(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	var lastErr error
	for _, port := range reservedPorts() {
		// The wildcard of the address's family: the kernel chooses the address.
		own := net.TCPAddr{IP: net.IPv6zero, Port: port}
		if addr.Addr().Is4() {
			own.IP = net.IPv4zero
		}
		dialer := net.Dialer{LocalAddr: &own}
		conn, err := dialer.DialContext(ctx, "tcp", addr.String())
		if err == nil || !portTaken(err) {
			return conn, err
		}
		lastErr = err
	}
	return nil, lastErr
}
