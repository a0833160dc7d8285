package rexecd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/passwd"
	"rexecd/pkg/relay"
	"rexecd/pkg/session"
)

// connections are those of one client.
type connections struct {
	primary *inetd.Conn
	stderr  *inetd.Conn  // nil if the client asked for none
	relay   *relay.Relay // of TLS; nil without
}

// forErrors carries the command's stderr.
func (c *connections) forErrors() *inetd.Conn {
	if c.stderr != nil {
		return c.stderr
	}
	return c.primary
}

// close closes what is still open.
func (c *connections) close() {
	c.primary.Close()
	if c.stderr != nil {
		c.stderr.Close()
	}
	c.relay.Close()
}

// start starts the user's shell, or what the rule demands, on the connections
// themselves.
func (s *Server) start(
	r *ruling, account *passwd.Entry, user *userSession, c *connections, grace *deadline,
) (*session.Process, error) {
	pamEnv, err := user.tx.Env()
	if err != nil {
		return nil, unavailable(err)
	}
	peer, local := c.primary.Peer, c.primary.Local
	client := peer.Addr().String() + " " + strconv.Itoa(int(peer.Port())) + " " + strconv.Itoa(int(local.Port()))
	program := r.program(account, client, pamEnv)
	program.Streams = session.Streams{In: c.primary.Fd(), Out: c.primary.Fd(), Err: c.forErrors().Fd()}
	if r.NoInput {
		null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, unavailable(&os.PathError{Op: "open", Path: os.DevNull, Err: err})
		}
		defer unix.Close(null)
		program.Streams.In = null
	}
	var process *session.Process
	err = grace.starting("the shell", func() (err error) {
		process, err = session.Start(program)
		return err
	})
	user.restoreLimits()
	if over := grace.over("the start of the shell"); err != nil && over != nil {
		return nil, over
	}
	if err != nil {
		return nil, startRefusal(err, r.name(program), account, c)
	}
	return process, nil
}

// startRefusal is the refusal for a shell that was not started. Once the status
// byte has been sent only the command's stderr is left to report it.
func startRefusal(err error, shell string, account *passwd.Entry, c *connections) error {
	var failed *session.StartError
	switch {
	case !errors.As(err, &failed):
		return unavailable(err)
	case failed.Stage == session.StageShell:
		fmt.Fprintf(c.forErrors(), "%s: %s\n", shell, failed.Text())
		if c.stderr != nil {
			c.stderr.Close()
		}
		c.primary.Linger(lingerTime, lingerBytes)
		return shellFailed(fmt.Errorf("%s: %w", shell, failed.Err))
	case failed.Stage == session.StageHome:
		return notAllowed(diagnostics.noHome, fmt.Errorf("home directory %q: %w", account.Home, failed.Err))
	}
	return unavailable(failed)
}

// attend stays with the command until it ends.
func (s *Server) attend(p *session.Process, r *ruling, user *userSession, c *connections, a *attempt) {
	if s.Config.KeepCapabilities != nil && asRoot { // the command has its own by now
		if err := session.CutCapabilities(*s.Config.KeepCapabilities); err != nil {
			a.write(audit.Event{Kind: audit.InternalError, Reason: err})
		}
	}
	c.relay.Release(r.onDisconnect == Hangup)
	watch := session.Attention{
		Stop: user.stop, Primary: c.primary.Fd(), HangUp: r.onDisconnect == Hangup, Limit: r.TimeLimit,
	}
	if c.stderr != nil {
		watch.Stderr, watch.StderrEnded = c.stderr.Fd(), c.stderr.Ended
	}
	a.step("the command runs")
	status, err := p.Attend(watch)
	ended := time.Since(a.began)
	if status.Limited {
		err = errors.Join(err, fmt.Errorf("time_limit of %v reached", r.TimeLimit))
	}
	// A client does not wait for PAM, nor the session's end for a client that reads
	// slowly, or for a system call that the user keeps from returning.
	release := inetd.Release{Shutdown: r.onExit == Shutdown, DropInput: r.NoInput,
		Stop: user.stop.Fd(), Stopped: user.stop.Requested()}
	release.Begin(c.primary, c.stderr)
	err = errors.Join(err, user.close())
	used := status.Usage
	a.write(audit.Event{Kind: audit.Closed, Exit: status.Exit, Signal: status.Signal, Unknown: status.Unknown,
		Duration: ended, CPU: used.User + used.System, Peak: used.MaxRSS, Reason: err})
	release.Finish()
	a.step("the connections are released")
}

// cause is the system's own error at the bottom of err, in the words of
// strerror(3).
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return session.Strerror(errno)
	}
	return err.Error()
}
