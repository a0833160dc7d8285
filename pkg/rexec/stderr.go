package rexec

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"rexecd/pkg/rexec/wire"
)

// listenStderr opens the port for the stderr connection, on the address that
// the server sees the client under: nobody on another network can reach it.
func (c *Client) listenStderr(primary net.Conn) (net.Listener, error) {
	local, ok := primary.LocalAddr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("listen for stderr: %v is no TCP address", primary.LocalAddr())
	}
	var lastErr error
	for _, port := range c.stderrPorts() {
		addr := net.TCPAddr{IP: local.IP, Port: port, Zone: local.Zone}
		listener, err := net.ListenTCP("tcp", &addr)
		if err == nil {
			c.trace("listening for stderr on %v", listener.Addr())
			return listener, nil
		}
		lastErr = err
	}
	return nil, &DialError{Addr: local.IP.String(), Stderr: true, Err: lastErr}
}

// stderrPorts are the ports to try, in order.
func (c *Client) stderrPorts() (ports []int) {
	if c.Rsh != nil && c.Rsh.Reserved {
		return reservedPorts()
	}
	for port := c.StderrPorts.First; port <= max(c.StderrPorts.First, c.StderrPorts.Last); port++ {
		ports = append(ports, port)
	}
	return ports
}

// An arrival is what came while the server was to connect for stderr: its
// connection, its word on the primary connection, or both.
type arrival struct {
	conn      net.Conn
	answer    opening
	strangers []netip.Addr
}

// strangersGrace is how much longer the server may take once somebody else has
// connected, who is probably the server under another address. It bridges a
// lost packet, which is sent again after one second, so that a stranger cannot
// keep the server out.
const strangersGrace = 3 * time.Second

// acceptStderr waits for the server's connection. Anyone else who connects to
// the port is hung up on and remembered, to be named if the server does not
// come. An answer on the primary connection ends the waiting: it
// refuses, or it has no intention to connect.
func (c *Client) acceptStderr(ctx context.Context, listener net.Listener, server net.Addr,
	answer <-chan opening) (arrival, error) {
	defer listener.Close() // also ends the goroutine
	accepted, strange := make(chan net.Conn), make(chan netip.Addr)
	done := make(chan struct{})
	defer close(done)
	go c.acceptServer(listener, server, accepted, strange, done)
	patience := c.stderrTimeout()
	if deadline, ok := ctx.Deadline(); ok && c.Stderr == StderrAuto {
		patience = min(patience, time.Until(deadline)/2) // the other half is for going on without
	}
	end := time.Now().Add(patience)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	failed := &DialError{Addr: listener.Addr().String(), Stderr: true, Err: ErrNotInTime}
again:
	select {
	case addr := <-strange:
		if len(failed.Strangers) == 0 {
			timer.Reset(min(strangersGrace, time.Until(end)))
		}
		if len(failed.Strangers) < maxStrangers && !slices.Contains(failed.Strangers, addr) {
			failed.Strangers = append(failed.Strangers, addr)
		}
		goto again
	case conn := <-accepted:
		c.trace("stderr connection from %v", conn.RemoteAddr())
		return arrival{conn: conn}, nil
	case first := <-answer:
		if first.begins(wire.StatusOK) { // it accepts after connecting; what came together is seen in any order
			select {
			case conn := <-accepted:
				return arrival{conn: conn, answer: first}, nil
			case <-time.After(aMoment):
			}
		}
		return arrival{answer: first, strangers: failed.Strangers}, nil
	case <-timer.C:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			failed.Err = ctx.Err()
		}
	}
	return arrival{}, failed
}

// acceptServer accepts the server's connection and hangs up on anyone else. It
// ends with that connection, or once the listener and done are closed.
func (c *Client) acceptServer(listener net.Listener, server net.Addr,
	accepted chan<- net.Conn, strange chan<- netip.Addr, done <-chan struct{}) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		if c.mayBeStderr(conn.RemoteAddr(), server) {
			select {
			case accepted <- conn:
			case <-done:
				conn.Close()
			}
			return
		}
		c.trace("connection from %v on the stderr port is not the server's: closed", conn.RemoteAddr())
		conn.Close()
		addr, _ := addrOf(conn.RemoteAddr())
		select {
		case strange <- addr:
		case <-done:
			return
		}
	}
}

const maxStrangers = 4 // that are named

// mayBeStderr reports whether a connection to the stderr port may be the
// server's.
func (c *Client) mayBeStderr(from, server net.Addr) bool {
	addr, ok := addrOf(from)
	same, okServer := addrOf(server)
	if !ok || !okServer || c.Rsh != nil && c.Rsh.Reserved && !fromReserved(from) {
		return false
	}
	return addr == same || slices.ContainsFunc(c.StderrFrom,
		func(net netip.Prefix) bool { return net.Contains(addr.WithZone("")) })
}

// abandon gives up a server that knows the port and nothing else. NuttX' reads
// the next fields into the same buffer and runs what is in it at the end of
// file: the port number, unless an empty user name comes after it.
func (s *Session) abandon(primary net.Conn) {
	s.abandoned.Lock() // whoever comes second closes
	defer s.abandoned.Unlock()
	if s.portSent.CompareAndSwap(true, false) {
		primary.SetWriteDeadline(time.Now().Add(aMoment))
		primary.Write([]byte{0})
	}
}

// answeredBeforeStderr is when the server spoke, or hung up, instead of
// connecting. It knows no more than the port at that time: either it cannot
// connect there, or it refuses whatever is asked; unless it connects late.
func (s *Session) answeredBeforeStderr(came arrival, port string) error {
	late := s.client.Quirks.LateStderr // it has read the whole request
	err := s.onPrimary(came.answer, opening{})
	var refused *RefusedError
	switch {
	case !late && errors.As(err, &refused) && (refused.Text == "" || refused.aboutStderr()):
		return &DialError{Addr: port, Stderr: true, Err: err, Strangers: came.strangers}
	case err != nil:
		return err
	case !late:
		return &ProtocolError{"accept stderr connection", errors.New("the server accepted before it knew what to run")}
	}
	s.client.trace("the server did not connect for stderr: going on with one connection")
	return nil
}

func addrOf(addr net.Addr) (netip.Addr, bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap(), true
}
