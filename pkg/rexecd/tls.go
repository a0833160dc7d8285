package rexecd

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/passwd"
	"rexecd/pkg/penalty"
	"rexecd/pkg/relay"
)

// TLS is what the client's end of the connections is to be: see in.rexecd(8), "TLS".
type TLS struct {
	On               bool
	Relay            string // path of rexec-tlsd
	Certificate, Key string // files
	ClientCA         string
	Minimum          string
}

// relayUser is the account that rexec-tlsd runs as.
const relayUser = "rexec-tls"

// brokenTLS: there is no certificate to show. The peer is told nothing, as it would be
// in clear text.
func brokenTLS(reason error) error {
	return &refusal{"", reason, audit.ConfigError, noOffence, false}
}

// failedHandshake: the peer does not speak TLS, or not ours.
func failedHandshake(reason error) error {
	return &refusal{"", reason, audit.ProtocolError, penalty.NoAuth, false}
}

// startTLS puts the relay between the peer and this process, which from then on has
// what the peer says in clear text, on a stream of its own.
func (s *Server) startTLS(c *connections, a *attempt) error {
	if !s.Config.TLS.On {
		return nil
	}
	config, err := s.relayConfig()
	if err != nil {
		return brokenTLS(err)
	}
	outer, inner, err := c.primary.Divert()
	if err != nil {
		return brokenTLS(fmt.Errorf("TLS: %w", err))
	}
	c.relay, err = relay.Start(config, outer, inner, c.primary.Deadline)
	unix.Close(outer)
	unix.Close(inner)
	if err != nil {
		return brokenTLS(err)
	}
	report, err := c.relay.Report(c.primary.Deadline)
	var file *relay.FileError
	switch {
	case errors.As(err, &file):
		return brokenTLS(fmt.Errorf("tls: %w", err))
	case errors.Is(err, relay.ErrGone):
		return brokenTLS(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return tooLate(fmt.Errorf("grace time over: %w", err))
	case err != nil:
		return failedHandshake(err)
	}
	a.certificate = report.Certificate
	a.step("%s, certificate %q", report.Version, report.Certificate)
	return nil
}

func (s *Server) relayConfig() (*relay.Config, error) {
	t := &s.Config.TLS
	c := &relay.Config{Path: t.Relay, UID: -1, GID: -1,
		Certificate: t.Certificate, Key: t.Key, ClientCA: t.ClientCA, Minimum: t.Minimum}
	if !asRoot {
		return c, nil
	}
	account, err := passwd.Lookup(relayUser)
	if err != nil {
		return nil, fmt.Errorf("the account %q, which rexec-tlsd runs as: %w", relayUser, err)
	}
	c.UID, c.GID = account.UID, account.GID
	return c, nil
}

// stderrHandshake is how long a client may take for it: it has accepted the connection.
const stderrHandshake = 10 * time.Second

// connectStderr is dialBack, and TLS on what it returns.
func (s *Server) connectStderr(c *connections, port int, patience time.Duration) (err error) {
	if c.stderr, err = s.dialBack(c.primary, port, patience); err != nil || c.stderr == nil || c.relay == nil {
		return err
	}
	failed := func(err error) error {
		return withoutStderr(fmt.Sprintf(diagnostics.stderrUnreached, port, diagnostics.noHandshake),
			fmt.Errorf("stderr port %d: %w", port, err))
	}
	if err := s.secureStderr(c.relay, c.stderr, c.primary.Deadline); err != nil {
		return failed(err)
	}
	return nil
}

func (s *Server) secureStderr(r *relay.Relay, conn *inetd.Conn, deadline time.Time) error {
	outer, inner, err := conn.Divert()
	if err != nil {
		return err
	}
	err = r.Add(outer, inner)
	unix.Close(outer)
	unix.Close(inner)
	if err != nil {
		return err
	}
	if until := time.Now().Add(stderrHandshake); until.Before(deadline) {
		deadline = until
	}
	_, err = r.Report(deadline)
	return err
}
