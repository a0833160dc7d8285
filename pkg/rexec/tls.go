package rexec

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
)

// ErrTruncated is a connection that ended without TLS's announcement: what came may
// not be all.
var ErrTruncated = errors.New("the connection was cut off: its end was not announced by TLS")

// A TLSError is a handshake that failed: nothing was sent to the server.
type TLSError struct{ Err error }

func (e *TLSError) Error() string { return "TLS handshake: " + e.Err.Error() }
func (e *TLSError) Unwrap() error { return e.Err }

// secure does TLS on a connection, if the client has it.
func (c *Client) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if c.TLS == nil {
		return conn, nil
	}
	config := c.TLS.Clone()
	if config.ServerName == "" {
		name, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(c.Host, "["), "]"), "%")
		config.ServerName = name
	}
	if config.NextProtos == nil {
		config.NextProtos = []string{"rexec"} // rexecd's: a server of another protocol refuses it
	}
	s := &secured{Conn: tls.Client(announced{conn}, config), raw: conn}
	if err := s.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &TLSError{err}
	}
	state := s.ConnectionState()
	c.trace("%s with %v, %s", tls.VersionName(state.Version), conn.RemoteAddr(), tls.CipherSuiteName(state.CipherSuite))
	return s, nil
}

// announced is a connection whose end is an error: crypto/tls would take one between
// two records for an end in order.
type announced struct{ net.Conn }

func (a announced) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if err == io.EOF {
		err = ErrTruncated
	}
	return n, err
}

// A secured connection is closed without an announcement: only CloseWrite says that
// the input was complete.
type secured struct {
	*tls.Conn
	raw net.Conn
}

func (s *secured) Close() error { return s.raw.Close() }
