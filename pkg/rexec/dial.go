package rexec

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	retries    = 5                      // of a refused connection, as MKS' clients
	firstPause = 100 * time.Millisecond // doubled with each retry: 3.1 s in all
	headStart  = 300 * time.Millisecond // of one address over the next (RFC 8305)
)

// dial makes the primary connection: all addresses of the host, and again
// with growing pauses when the connection is refused, since a super-server
// refuses for a moment when it restarts or is overrun.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(c.Host, "["), "]")
	where := net.JoinHostPort(name, strconv.Itoa(c.port()))
	addrs, err := c.lookup(ctx, name)
	if err != nil {
		return nil, &DialError{Addr: name, Err: err}
	}
	pause := firstPause
	for try := 0; ; try++ {
		conn, err := c.dialAny(ctx, addrs)
		if err == nil {
			return conn, nil
		}
		if try == retries || !errors.Is(err, errRefused) {
			return nil, &DialError{Addr: where, Port: c.port(), Err: err}
		}
		c.trace("connection refused, trying again in %v (%d of %d)", pause, try+1, retries)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, &DialError{Addr: where, Port: c.port(), Err: err}
		}
		pause *= 2
	}
}

func (c *Client) lookup(ctx context.Context, name string) ([]netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(name); err == nil { // a resolver would lose its zone
		ip = ip.Unmap()
		if c.Network == "tcp4" && !ip.Is4() || c.Network == "tcp6" && ip.Is4() {
			return nil, fmt.Errorf("%s is not an address of %s", name, map[string]string{"tcp4": "IPv4", "tcp6": "IPv6"}[c.Network])
		}
		return []netip.AddrPort{netip.AddrPortFrom(ip, uint16(c.port()))}, nil
	}
	network := "ip" + strings.TrimPrefix(c.Network, "tcp")
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), uint16(c.port()))
	}
	c.trace("host %s is %v", name, addrs)
	return addrs, nil
}

// dialAddr connects to one address.
func (c *Client) dialAddr(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	if c.Rsh != nil && c.Rsh.Reserved {
		return dialReserved(ctx, addr)
	}
	dialer := net.Dialer{} // keepalive is on by default
	return dialer.DialContext(ctx, "tcp", addr.String())
}

// dialAny tries each address, giving each a head start over the next, so that
// a host whose IPv6 packets vanish is still reached at once. The first
// connection wins.
func (c *Client) dialAny(ctx context.Context, addrs []netip.AddrPort) (net.Conn, error) {
	type result struct {
		conn net.Conn
		addr netip.Addr
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result)
	started, failed := 0, 0
	next := func() {
		addr := addrs[started]
		started++
		c.trace("connecting to %v", addr)
		go func() {
			conn, err := c.dialAddr(ctx, addr)
			select {
			case results <- result{conn, addr.Addr(), err}:
			case <-ctx.Done():
				if conn != nil {
					conn.Close()
				}
			}
		}()
	}
	next()
	var all triedAddresses
	for failed < len(addrs) {
		var late <-chan time.Time
		if started < len(addrs) {
			late = time.After(headStart)
		}
		select {
		case r := <-results:
			if r.err == nil {
				c.trace("connected, from %v to %v", r.conn.LocalAddr(), r.conn.RemoteAddr())
				return r.conn, nil
			}
			failed++
			all = append(all, triedAddress{r.addr, r.err})
			if started < len(addrs) {
				next()
			}
		case <-late:
			next()
		case <-ctx.Done():
			// Whichever they are: the time is up for all that have not answered.
			for _, addr := range addrs[len(all):] {
				all = append(all, triedAddress{addr.Addr(), ctx.Err()})
			}
			return nil, all
		}
	}
	return nil, all
}
