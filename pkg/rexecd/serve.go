// Package rexecd is the recipe: what the server does with one connection, in
// the order of rexecd(8), "PROTOCOL". The packages it calls know how; none of
// them knows of another.
package rexecd

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
	"rexecd/pkg/rexec/wire"
	"rexecd/pkg/session"
)

// A Server holds the settings of rexecd.toml(5), with its meanings.
type Server struct {
	Log *audit.Log
	PAM login.Config

	Grace               time.Duration // from the start to the command
	PermitRoot          bool
	PermitEmptyPassword bool
	LogCommand          bool
	LoginShell          bool
	StderrMinPort       int
	NoStderr            bool // refuse a request for a stderr connection
	NoKeepAlive         bool
	HangupOnLoss        bool
	CloseOnExit         bool
	Penalties           *penalty.Table // nil: nobody is penalised

	KeepCapabilities *session.Capabilities // while the command runs and the session is closed; nil: all

	// Exit ends the process when the grace time is over inside a PAM module,
	// which nothing else can interrupt. It does not return.
	Exit func(status int)

	ready *login.Login // a transaction that waits for its user
}

// Serve runs the protocol of rexecd(8) on one connection, from the first byte
// to the command's end. It must be called on the first thread of the process,
// which is locked to it. The connection is closed when it returns.
func (s *Server) Serve(conn *inetd.Conn) {
	defer conn.Close()
	r := &request{Server: s, conn: conn, began: time.Now()}
	defer func() { _ = s.ready.Close() }() // where no login came of it
	if err := r.serve(); err != nil {
		r.refuse(err)
	}
}

// A request is one connection's way through the protocol.
type request struct {
	*Server
	conn   *inetd.Conn
	stderr *inetd.Conn // nil if the client wants none
	began  time.Time
	grace  *grace
	*wire.Request
	invalid bool // no passwd entry has the user's name
	proven  bool // the password was right

	asked time.Time     // when the request was whole
	delay time.Duration // how long PAM wants a refusal to take from then on
}

// serve is the protocol section of rexecd(8). An error is a refusal: Serve says
// it to the peer and to the log.
func (r *request) serve() error {
	r.keepAlive(r.conn)
	r.grace = r.startGrace()
	defer r.grace.stop()

	if err := r.admitted(); err != nil { // before a byte is read: who has failed too often waits
		return refused(tryAgain, err)
	}
	if err := r.dialBack(); err != nil { // 2, 3: the client waits in accept(), before it says who it is
		return err
	}
	if err := r.prepare(); err != nil { // of 5: PAM loads its modules while the request is on its way
		return err
	}
	if err := r.read(); err != nil { // 4: not one byte past the command's NUL
		return err
	}
	user, err := r.authenticate() // 5: every refusal takes the same road
	if err != nil {
		return err
	}
	defer user.close()                  // undoes what was opened, whatever happens below
	if err := user.open(); err != nil { // 5: groups, credentials, session
		return err
	}
	command, err := r.start(user) // 6, 7, 8: fork, identity, home, status byte, shell
	if err != nil {
		return err
	}
	r.grace.stop()
	r.log(audit.Event{Kind: audit.Accepted}) // now, while the shell starts: the one decision on this connection
	r.attend(user, command)                  // 9
	return nil
}

// dialBack reads the stderr port and connects to it.
func (r *request) dialBack() error {
	port, err := wire.ReadPort(r.conn)
	var bad *wire.PortError
	switch {
	case errors.As(err, &bad):
		return protocolError(bad.Error(), fmt.Errorf("%w: %q", bad, bad.Sent))
	case err != nil:
		return r.grace.reading(err)
	case port == 0:
		return nil
	case r.NoStderr:
		return withoutStderr("stderr connections are not permitted here", fmt.Errorf("stderr port %d asked for; the setting stderr is no", port))
	case port < r.StderrMinPort:
		return protocolError(fmt.Sprintf("stderr port %d is not permitted", port), fmt.Errorf("stderr port %d is below stderr_min_port %d", port, r.StderrMinPort))
	}
	// Clients wait in accept() with timers of their own (GNU's: 5 seconds).
	r.stderr, err = r.conn.DialBack(port, min(dialPatience, r.grace.left()))
	if err != nil {
		return withoutStderr(fmt.Sprintf("cannot connect to stderr port %d: %v", port, cause(err)), fmt.Errorf("stderr port %d: %w", port, err))
	}
	r.keepAlive(r.stderr)
	return nil
}

const dialPatience = 10 * time.Second

// read reads who asks for what.
func (r *request) read() error {
	req, err := wire.ReadRequest(r.conn)
	r.Request = req
	switch {
	case errors.Is(err, wire.ErrUserTooLong), errors.Is(err, wire.ErrPasswordTooLong), errors.Is(err, wire.ErrCommandTooLong):
		return protocolError(err.Error(), err)
	case err != nil:
		return r.grace.reading(err)
	}
	return nil
}

// start starts the user's shell on the sockets themselves.
func (r *request) start(u *user) (*session.Process, error) {
	shell := u.entry.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	name := path.Base(shell)
	if r.LoginShell {
		name = "-" + name
	}
	pamEnv, err := u.login.Env()
	if err != nil {
		return nil, refused(tryAgain, err)
	}
	client := r.conn.Peer.Addr().String() + " " + strconv.Itoa(int(r.conn.Peer.Port())) + " " + strconv.Itoa(int(r.conn.Local.Port()))
	c := &session.Command{
		Shell: shell, Argv: []string{name, "-c", r.Command}, Home: u.entry.Home,
		Env: session.Environment(session.User{Name: u.entry.Name, UID: u.entry.UID, Home: u.entry.Home, Shell: shell}, client, pamEnv),
		UID: u.entry.UID, GID: u.entry.GID, ChangeIdentity: u.root,
		Primary: r.conn.Fd(), Stderr: r.conn.Fd(),
	}
	said := r.conn
	if r.stderr != nil {
		c.Stderr, said = r.stderr.Fd(), r.stderr
	}
	process, err := session.Start(c)
	u.limits.Restore() // the command has inherited the session's
	var failed *session.StartError
	switch over := r.grace.over("the start of the shell"); {
	case err == nil:
		return process, nil
	case over != nil:
		return nil, over
	case !errors.As(err, &failed):
		return nil, refused(tryAgain, err)
	case failed.Stage == session.StageShell: // the status byte has been sent: only the command's stderr is left
		fmt.Fprintf(said, "%s: %s\n", shell, failed.Text())
		if r.stderr != nil {
			r.stderr.Close()
		}
		r.conn.Linger(lingerTime, lingerBytes)
		return nil, refused("", fmt.Errorf("%s: %w", shell, failed.Err))
	case failed.Stage == session.StageHome:
		return nil, refused("No remote directory.", fmt.Errorf("home directory %q: %w", u.entry.Home, failed.Err))
	}
	return nil, refused(tryAgain, failed)
}

// attend stays with the command until it ends.
func (r *request) attend(u *user, p *session.Process) {
	if r.KeepCapabilities != nil && u.root { // the command has its own by now
		if err := session.CutCapabilities(*r.KeepCapabilities); err != nil {
			r.log(audit.Event{Kind: audit.InternalError, Reason: err})
		}
	}
	a := session.Attention{Stop: u.stop, Primary: -1}
	if r.HangupOnLoss {
		a.Primary = r.conn.Fd()
	}
	if r.stderr != nil {
		r.stderr.Deadline = r.began // long past: a read takes what is there and never waits
		a.Signals = r.stderr
	}
	status, err := p.Attend(a)
	r.release(r.CloseOnExit)
	ended := time.Since(r.began)
	err = errors.Join(err, u.close())
	r.log(audit.Event{Kind: audit.Closed, Exit: status.Exit, Signal: status.Signal, Duration: ended, Reason: err})
}

// release gives up both connections; with shutdown for all who hold them.
func (r *request) release(shutdown bool) {
	for _, c := range []*inetd.Conn{r.conn, r.stderr} {
		if c != nil {
			c.Release(shutdown)
		}
	}
}

func (r *request) keepAlive(c *inetd.Conn) {
	// A connection that cannot have it is served without: it is a comfort, not a rule.
	_ = c.SetKeepAlive(!r.NoKeepAlive)
}
