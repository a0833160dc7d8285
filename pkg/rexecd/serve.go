// Package rexecd is the recipe: what the server does with one connection, in
// the order of in.rexecd(8), "PROTOCOL". The packages it calls know how; none of
// them knows of another.
package rexecd

import (
	"errors"
	"fmt"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/login"
	"rexecd/pkg/passwd"
	"rexecd/pkg/rexec/wire"
)

// A Server serves connections according to its settings.
type Server struct {
	Config Config
	Log    *audit.Log

	// Reporter is the command line that this program is started with again, to call
	// Report, when the grace time is over inside a PAM module: nothing but the end of
	// the process can interrupt that. Without it, nothing does.
	Reporter []string
	Stderr   int // becomes the reporter's descriptor 2

	// Title gets who is served, once that is known. It may be nil.
	Title func(text string)
}

// Preload loads what every login needs, PAM's modules and those of the name
// service, before there is a connection. It returns the transaction for Serve.
func (s *Server) Preload() (*login.Login, error) {
	if root, err := passwd.Lookup("root"); err == nil {
		_, _ = root.Groups() // for what it loads
	}
	return login.Start(s.Config.PAM)
}

// Serve runs the protocol of in.rexecd(8) on one connection, from the first byte
// to the command's end. It must be called on the first thread of the process,
// which is locked to it. tx comes from Preload, or is nil. The connection is
// closed when it returns.
func (s *Server) Serve(conn *inetd.Conn, tx *login.Login) { s.follow((*Server).serve, conn, tx) }

// A recipe is what is done with one connection, step by step. An error is a refusal.
type recipe func(*Server, *connections, *login.Login, *attempt, *deadline) error

// follow follows a recipe to its end, or to the refusal.
func (s *Server) follow(recipe recipe, conn *inetd.Conn, tx *login.Login) {
	c := &connections{primary: conn}
	defer c.close()
	a := s.newAttempt(conn)
	a.penalties = s.Config.Penalties
	grace := s.startGrace(c, a)
	defer grace.stop()
	if err := recipe(s, c, tx, a, grace); err != nil {
		s.refuse(c, a, grace, err)
	}
}

// serve is the protocol section of in.rexecd(8). An error is a refusal.
func (s *Server) serve(c *connections, tx *login.Login, a *attempt, grace *deadline) error {
	if err := s.unwrap(c, a); err != nil { // 1: whose connection it is
		return err
	}
	if err := a.checkSource(); err != nil { // who has failed too often waits
		return s.dialFirst(c, err)
	}
	port, err := s.readPort(c.primary, a, grace, s.execPort) // 2
	if err != nil {
		return err
	}
	if err := s.connectStderr(c, port, min(dialPatience, grace.left())); err != nil { // 3: clients wait for it
		return err
	}
	if tx == nil && s.Config.Single == nil { // of 5: PAM loads its modules while the request is on its way
		if tx, err = login.Start(s.Config.PAM); err != nil {
			return fault(err)
		}
	}
	user := &userSession{server: s, attempt: a, tx: tx, watchdog: grace.watchdog}
	defer user.close()                                 // undoes what was opened, whatever happens below
	request, err := s.readRequest(c.primary, a, grace) // 4: not one byte past the command's NUL
	if err != nil {
		return err
	}
	if err := grace.arm(); err != nil { // what follows can hang
		return fault(err)
	}
	account, err := s.authenticate(user, request, a, grace) // 5: every refusal takes the same road
	if err != nil {
		return err
	}
	return s.run(request.Command, account, user, c, grace) // 5 to 9: what no protocol has a say in
}

// run is what the protocols have in common, from the account's right to the command to
// its end.
func (s *Server) run(text string, account *passwd.Entry, user *userSession, c *connections, grace *deadline) error {
	a := user.attempt
	if s.Title != nil {
		s.Title(title(account.Name, c.primary.Peer.Addr()))
	}
	ruling, err := s.decide(text, account, user, c.primary, grace) // 5: may this user run this, from there?
	if err != nil {
		return err
	}
	if err := user.takePlaces(account, ruling); err != nil { // 5: not more commands at once than permitted
		return err
	}
	if err := s.askExit(ruling, account, c.primary, a, grace); err != nil { // 5: a program of the administrator's
		return err
	}
	if err := user.open(account, ruling, grace); err != nil { // 5: groups, credentials, session
		return err
	}
	command, err := s.start(ruling, account, user, c, grace) // 6 to 8: identity, status byte, shell
	if err != nil {
		return err
	}
	grace.stop()
	a.write(audit.Event{Kind: audit.Accepted}) // now, while the shell starts: the one decision on this connection
	s.attend(command, ruling, user, c, a)      // 9
	return nil
}

// unwrap takes off what may be around rexec's own protocol: a proxy's header, and TLS.
func (s *Server) unwrap(c *connections, a *attempt) error {
	s.keepAlive(c.primary)
	if err := s.readProxy(c.primary, a); err != nil {
		return err
	}
	return s.startTLS(c, a)
}

// readPort reads the port of the client's stderr connection; 0: none. barred returns
// why no connection is made to a port.
func (s *Server) readPort(
	conn *inetd.Conn, a *attempt, grace *deadline, barred func(int, *inetd.Conn) error,
) (int, error) {
	port, err := wire.ReadPort(conn)
	var bad *wire.PortError
	switch {
	case errors.As(err, &bad):
		return 0, badProtocol(bad.Error(), errors.New(bad.Reason()))
	case err != nil:
		return 0, readFailed(grace, err)
	}
	if why := barred(port, conn); why != nil {
		return 0, badProtocol(fmt.Sprintf(diagnostics.portNotPermitted, port), why)
	}
	a.step("stderr port %d", port)
	return port, nil
}

// execPort bars the ports below stderr_min_port.
func (s *Server) execPort(port int, _ *inetd.Conn) error {
	if port != 0 && port < s.Config.Stderr.MinPort {
		return fmt.Errorf("stderr port %d is below stderr_min_port %d", port, s.Config.Stderr.MinPort)
	}
	return nil
}

// Clients wait in accept() with timers of their own (GNU's: 5 seconds).
const dialPatience = 10 * time.Second

// dialBack connects to the client's stderr port; nil for 0. Where the settings
// permit no such connection it is made all the same, and closed: clients that
// wait for it (glibc's rexec(3), commons-net) would never look at the answer.
func (s *Server) dialBack(conn *inetd.Conn, port int, patience time.Duration) (*inetd.Conn, error) {
	if port == 0 {
		return nil, nil
	}
	return s.dialBackBy(conn.DialBack, conn, port, patience)
}

func (s *Server) dialBackBy(
	dial func(int, time.Duration) (*inetd.Conn, error), conn *inetd.Conn, port int, patience time.Duration,
) (*inetd.Conn, error) {
	conn.OwnHost = s.Config.Stderr.OwnHost
	stderr, err := dial(port, patience)
	switch {
	case !s.Config.Stderr.Allow:
		stderr.Close()
		return nil, withoutStderr(diagnostics.stderrNotPermitted, fmt.Errorf("stderr port %d asked for; the setting stderr is no", port))
	case s.Config.Proxy.noStderr && conn.Proxy.IsValid():
		stderr.Close()
		return nil, withoutStderr(diagnostics.proxyStderr, fmt.Errorf("stderr port %d asked for; the setting proxy_stderr is no", port))
	}
	if err != nil {
		return nil, withoutStderr(fmt.Sprintf(diagnostics.stderrUnreached, port, cause(err)),
			fmt.Errorf("stderr port %d: %w", port, err))
	}
	s.keepAlive(stderr)
	return stderr, nil
}

// How long a client that will be refused whatever it sends has for its port, which
// clients send at once, and then for the connection to it: GNU's gives up after
// five seconds.
const (
	declinePatience    = 3 * time.Second
	declineDialTimeout = 5 * time.Second
)

// dialFirst makes the stderr connection that a client may be waiting for, so that
// it reads the refusal, which is returned.
func (s *Server) dialFirst(c *connections, refusal error) error {
	c.primary.Deadline = time.Now().Add(declinePatience)
	if port, err := wire.ReadPort(c.primary); err == nil && port >= s.Config.Stderr.MinPort {
		_ = s.connectStderr(c, port, declineDialTimeout)
	}
	return refusal
}

// Decline refuses a connection that is not to be served: one of Misconfigured
// and TooManySessions. The connection is closed when it returns.
func (s *Server) Decline(conn *inetd.Conn, refusal error) {
	c := &connections{primary: conn}
	defer c.close()
	a := s.newAttempt(conn)
	conn.Deadline = time.Now().Add(declinePatience)
	if err := s.unwrap(c, a); err != nil {
		refusal = err
	} else {
		refusal = s.dialFirst(c, refusal)
	}
	s.refuse(c, a, nil, refusal)
}

// readRequest reads who asks for what.
func (s *Server) readRequest(conn *inetd.Conn, a *attempt, grace *deadline) (*wire.Request, error) {
	a.step("ready for the request") // the stderr connection is made, PAM's modules are loaded
	request, err := wire.ReadRequest(conn)
	return request, s.received(request, err, a, grace)
}

// received notes a request, or is the refusal of one that could not be read.
func (s *Server) received(request *wire.Request, err error, a *attempt, grace *deadline) error {
	a.claimed = request.User
	switch {
	case errors.Is(err, wire.ErrUserTooLong), errors.Is(err, wire.ErrPasswordTooLong),
		errors.Is(err, wire.ErrCommandTooLong), errors.Is(err, wire.ErrClientTooLong):
		return badProtocol(err.Error(), err)
	case err != nil:
		return readFailed(grace, err)
	}
	a.asked = time.Now()
	a.step("request of %d bytes for user %q", len(request.Command), request.User)
	if s.Config.LogCommand {
		a.command = request.Command
	}
	return nil
}

func (s *Server) keepAlive(conn *inetd.Conn) {
	// A connection that cannot have it is served without: it is a comfort, not a rule.
	_ = conn.SetKeepAlive(s.Config.KeepAlive.On, s.Config.KeepAlive.Idle)
}
