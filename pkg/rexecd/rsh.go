package rexecd

import (
	"errors"
	"fmt"
	"time"

	"rexecd/pkg/inetd"
	"rexecd/pkg/login"
	"rexecd/pkg/rexec/wire"
)

// ServeRsh runs the protocol of in.rshd(8) on one connection, as Serve does rexec's.
func (s *Server) ServeRsh(conn *inetd.Conn, tx *login.Login) {
	s.follow((*Server).serveRsh, conn, tx)
}

// serveRsh is the protocol section of in.rshd(8). What a failed login is told is rsh's.
func (s *Server) serveRsh(c *connections, tx *login.Login, a *attempt, grace *deadline) error {
	if err := s.tryRsh(c, tx, a, grace); err != nil {
		return inRshWords(err)
	}
	return nil
}

// tryRsh differs from serve in its second to fourth steps, and in whom it believes.
func (s *Server) tryRsh(c *connections, tx *login.Login, a *attempt, grace *deadline) error {
	if err := s.unwrapRsh(c.primary, a); err != nil { // 1: whose connection it is
		return err
	}
	if err := a.checkSource(); err != nil { // who has failed too often waits
		return s.dialFirstRsh(c, err)
	}
	port, err := s.readPort(c.primary, a, grace, s.rshPort) // 2
	if err != nil {
		return err
	}
	c.stderr, err = s.dialBackRsh(c.primary, port, min(dialPatience, grace.left())) // 3: rcmd(3) waits for it
	if err != nil {
		return err
	}
	if tx == nil && s.Config.Single == nil { // of 5: PAM loads its modules while the request is on its way
		if tx, err = login.Start(s.Config.PAM); err != nil {
			return fault(err)
		}
	}
	user := &userSession{server: s, attempt: a, tx: tx, watchdog: grace.watchdog}
	defer user.close()                                    // undoes what was opened, whatever happens below
	request, err := s.readRshRequest(c.primary, a, grace) // 4: not one byte past the command's NUL
	if err != nil {
		return err
	}
	if err := grace.arm(); err != nil { // what follows can hang
		return fault(err)
	}
	account, err := s.authenticateRsh(user, request, port, a, grace) // 5: every refusal takes the same road
	if err != nil {
		return err
	}
	return s.run(request.Command, account, user, c, grace) // 5 to 9: as rexec
}

// unwrapRsh takes a proxy's header off.
func (s *Server) unwrapRsh(conn *inetd.Conn, a *attempt) error {
	s.keepAlive(conn)
	if conn.IPOptions() { // the address may be anybody's
		return byOptions()
	}
	return s.readProxy(conn, a)
}

// rshPort returns why no connection is made to a stderr port. One to a reserved port
// comes from a reserved port of this host's, which services elsewhere believe: so it
// is for a client who has one, not by a proxy's word, and for no port where such a
// service may be.
func (s *Server) rshPort(port int, conn *inetd.Conn) error {
	switch reserved := inetd.Reserved(port); {
	case port == 0:
	case inetd.Trusting(port):
		return fmt.Errorf("stderr port %d may be that of a service which trusts reserved ports", port)
	case reserved && conn.Proxy.IsValid():
		return fmt.Errorf("stderr port %d is reserved, and the client is behind a proxy", port)
	case reserved && !inetd.Reserved(int(conn.Peer.Port())):
		return fmt.Errorf("stderr port %d is reserved, and the client's own port, %d, is not", port, conn.Peer.Port())
	case !reserved && port < s.Config.Stderr.MinPort:
		return fmt.Errorf("stderr port %d is below stderr_min_port %d", port, s.Config.Stderr.MinPort)
	}
	return nil
}

// dialBackRsh connects to the client's stderr port; nil for 0. To a reserved port it
// does from one: rcmd(3) accepts no other.
func (s *Server) dialBackRsh(conn *inetd.Conn, port int, patience time.Duration) (*inetd.Conn, error) {
	if inetd.Reserved(port) {
		return s.dialBackBy(conn.DialBackReserved, conn, port, patience)
	}
	return s.dialBack(conn, port, patience)
}

// dialFirstRsh is dialFirst by rsh's rules.
func (s *Server) dialFirstRsh(c *connections, refusal error) error {
	c.primary.Deadline = time.Now().Add(declinePatience)
	if port, err := wire.ReadPort(c.primary); err == nil && s.rshPort(port, c.primary) == nil {
		c.stderr, _ = s.dialBackRsh(c.primary, port, declineDialTimeout)
	}
	return refusal
}

// DeclineRsh is Decline for rsh.
func (s *Server) DeclineRsh(conn *inetd.Conn, refusal error) {
	c := &connections{primary: conn}
	defer c.close()
	a := s.newAttempt(conn)
	conn.Deadline = time.Now().Add(declinePatience)
	if err := s.unwrapRsh(conn, a); err != nil {
		refusal = err
	} else {
		refusal = s.dialFirstRsh(c, refusal)
	}
	s.refuse(c, a, nil, refusal)
}

// readRshRequest reads who asks for what.
func (s *Server) readRshRequest(conn *inetd.Conn, a *attempt, grace *deadline) (*wire.RshRequest, error) {
	a.step("ready for the request")
	request, err := wire.ReadRshRequest(conn)
	a.client, a.trusted = request.Client, err == nil && !request.HasPassword
	if err := s.received(&request.Request, err, a, grace); err != nil {
		return nil, err
	}
	if request.Command == "" {
		return nil, badProtocol(diagnostics.noCommand, errors.New("the command is empty, as for rlogin"))
	}
	return request, nil
}

// inRshWords is a refusal as rsh has it: what may not be told apart from a wrong
// password reads "Permission denied."
func inRshWords(err error) error {
	r := asRefusal(err)
	if r.delayed {
		r.public = diagnostics.permissionDenied
	}
	return r
}
