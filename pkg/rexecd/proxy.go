package rexecd

import (
	"errors"
	"fmt"
	"os"

	"rexecd/pkg/inetd"
	"rexecd/pkg/proxy"
)

// readProxy reads the PROXY header that a proxy's connection begins with, and nothing
// from anybody else. From then on the peer is the proxy's client. What is wrong with
// a header is charged to nobody: the proxy would be everybody behind it.
func (s *Server) readProxy(conn *inetd.Conn, a *attempt) error {
	if !within(s.Config.Proxy.From, conn.Peer.Addr()) {
		return nil
	}
	header, err := proxy.Read(conn)
	// HAProxy's "tcp-check connect send-proxy" names its own end of the connection.
	if err == nil && (!header.Client.IsValid() || header.Client == conn.Peer) {
		return healthCheck()
	}
	if err == nil {
		err = checkClient(header)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return badProxy("", fmt.Errorf("grace time over: %w", err))
	case errors.Is(err, proxy.ErrEmpty):
		return healthCheck() // one that only connects
	case errors.Is(err, proxy.ErrNone):
		return badProxy(diagnostics.proxyExpected, err)
	case err != nil:
		return badProxy("", err)
	}
	conn.Behind(header.Client, header.Called)
	a.comesFrom(conn, s.Config.Trace)
	a.step("client of the proxy %v, which it called as %v", conn.Proxy, conn.Local)
	return nil
}

// checkClient refuses addresses that no client has: to connect to "any" is to connect
// to this host.
func checkClient(h proxy.Header) error {
	if addr := h.Client.Addr(); addr.IsUnspecified() || addr.IsMulticast() {
		return fmt.Errorf("PROXY header: the client's address is %v", addr)
	}
	return nil
}
