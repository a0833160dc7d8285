// Package handler is the wiring of a program that serves one connection: in.rexecd,
// and in.rshd, which differ in what a Program says.
package handler

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"

	_ "rexecd/cmd/in.rexecd/preinit"
	"rexecd/cmd/in.rexecd/title"
	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/login"
	"rexecd/pkg/rexecd"
	"rexecd/pkg/settings"
)

// A Program is a server of one protocol.
type Program struct {
	Name, Version, Usage string
	Ignored              []string // flags of other systems' inetd.conf
	TrustFlag            bool     // -l: no login without a password
	TLSFlag              bool     // -tls
	Config               func(*settings.Server) rexecd.Config
	Serve                func(*rexecd.Server, *inetd.Conn, *login.Login)
	Decline              func(*rexecd.Server, *inetd.Conn, error)
}

// Exit statuses of in.rexecd(8) and in.rshd(8).
const (
	exitOK    = 0 // a connection was served, or refused in order
	exitError = 1 // something of the server's own is not as it must be
	exitUsage = 2 // no connection, or wrong flags
)

// Main is the program's main function. It returns the exit status.
func (p *Program) Main() int {
	// No core dump, no ptrace and no /proc/PID/mem for anybody: passwords pass through here.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	o, err := p.parseFlags(os.Args[1:])
	switch {
	case err != nil && !inetd.Handed():
		if audit.Readable(2) { // and not a connection that was reset since, or inetd's listening socket
			fmt.Fprintf(os.Stderr, "%s: %v\n\n%s", p.Name, err, p.Usage)
		}
		return exitUsage
	case err != nil:
		// A flag in inetd.conf: descriptor 2 may be the peer, who learns nothing of it.
		return p.serve(o, err)
	case o.help:
		fmt.Print(p.Usage)
	case o.version:
		fmt.Println(p.Name, p.Version)
	case o.explain:
		return p.explain(o)
	case o.record:
		return p.record(o)
	case o.listeners > 0:
		return p.serveAsWorker(o)
	default:
		return p.serve(o, nil)
	}
	return exitOK
}

// serve serves the one connection this process was started for. bad is a wrong
// flag, which is answered like a wrong setting.
func (p *Program) serve(o options, bad error) int {
	server := p.bare(o)
	log := server.Log
	conn, err := inetd.Take()
	switch {
	case errors.Is(err, inetd.ErrGone):
		log.Write(audit.Event{Kind: audit.ProtocolError, Reason: err})
		return exitOK
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		return exitUsage
	}
	server.Config, err = p.server(o)
	if err = errors.Join(bad, err); err != nil {
		p.Decline(server, conn, rexecd.Misconfigured(err))
		return exitError
	}
	if o.refuse {
		p.Decline(server, conn, rexecd.TooManySessions())
		return exitOK
	}
	return p.serveConn(server, conn, nil)
}

// serveConn serves a connection to its end; tx is a PAM transaction that waits for
// it, or nil.
func (p *Program) serveConn(server *rexecd.Server, conn *inetd.Conn, tx *login.Login) int {
	defer func() {
		// The peer learns nothing of it, and descriptor 2 leads nowhere.
		if fault := recover(); fault != nil {
			server.Log.Write(audit.Event{Kind: audit.InternalError, Peer: conn.Peer,
				Reason: fmt.Errorf("%v: %s", fault, debug.Stack())})
			os.Exit(exitError)
		}
	}()
	server.Title = func(text string) { title.Set(p.Name + ": " + text) }
	p.Serve(server, conn, tx)
	return exitOK
}

// bare is a server without settings: where this process's records go, and those of
// the process that reports for it.
func (p *Program) bare(o options) *rexecd.Server {
	log := &audit.Log{Name: p.Name, Unit: audit.Unit()}
	s := &rexecd.Server{Log: log, Reporter: o.reporter(), Stderr: 2}
	if !o.console && !o.stderr {
		return s
	}
	fd := console()
	switch {
	case fd < 0:
		return s
	case o.console:
		log.Console = os.NewFile(uintptr(fd), "stderr")
	default:
		log.Stderr = fd
	}
	s.Stderr = fd
	return s
}

// reporter is the command line of the process that reports for this one: of the flags,
// those that say where records and charges go. It has another working directory.
func (o options) reporter() []string {
	args := []string{os.Args[0], "-record"}
	if o.console {
		args = append(args, "-console")
	}
	if o.stderr {
		args = append(args, "-stderr")
	}
	if o.single {
		args = append(args, "-single")
	}
	if o.config != "" {
		path, err := filepath.Abs(o.config)
		if err != nil {
			path = o.config
		}
		args = append(args, "-config", path)
	}
	return args
}

// console is this process's stderr, kept before it is pointed at /dev/null; -1
// where nobody can read it: under inetd it is the peer.
func console() int {
	if !audit.Readable(2) {
		return -1
	}
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return -1
	}
	return fd
}
