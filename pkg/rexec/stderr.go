package rexec

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
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
	ports := c.StderrPorts
	if ports.Last < ports.First {
		ports.Last = ports.First
	}
	var lastErr error
	for port := ports.First; port <= ports.Last; port++ {
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

// acceptStderr waits for the server's connection. Anyone else who happens on
// the port is hung up on. The server's word on the primary connection ends
// the waiting: it refuses, or it has no intention to connect.
func (c *Client) acceptStderr(ctx context.Context, listener net.Listener, server net.Addr, answer <-chan opening) (net.Conn, opening, error) {
	defer listener.Close() // also ends the goroutine
	accepted := make(chan net.Conn)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			if !sameHost(conn.RemoteAddr(), server) {
				c.trace("connection from %v on the stderr port is not the server's: closed", conn.RemoteAddr())
				conn.Close()
				continue
			}
			select {
			case accepted <- conn:
			case <-done:
				conn.Close()
			}
			return
		}
	}()
	patience := c.stderrTimeout()
	if deadline, ok := ctx.Deadline(); ok && c.Stderr == StderrAuto {
		patience = min(patience, time.Until(deadline)/2) // the other half is for going on without
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	err := errNotInTime
	select {
	case conn := <-accepted:
		c.trace("stderr connection from %v", conn.RemoteAddr())
		return conn, opening{}, nil
	case first := <-answer:
		if first.begins(wire.StatusOK) { // it says so after connecting; what came together is seen in any order
			select {
			case conn := <-accepted:
				return conn, first, nil
			case <-time.After(aMoment):
			}
		}
		return nil, first, nil
	case <-timer.C:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = ctx.Err()
		}
	}
	return nil, opening{}, &DialError{Addr: listener.Addr().String(), Stderr: true, Err: err}
}

func sameHost(a, b net.Addr) bool {
	x, okx := addrOf(a)
	y, oky := addrOf(b)
	return okx && oky && x == y
}

func addrOf(addr net.Addr) (netip.Addr, bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap(), true
}
