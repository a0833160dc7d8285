// Command in.rexecd is the server for the rexec(3) protocol, started by inetd,
// xinetd or systemd once for each connection. See in.rexecd(8).
package main

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
)

var version = "devel"

// Exit statuses of in.rexecd(8).
const (
	exitOK    = 0 // a connection was served, or refused in order
	exitError = 1 // something of the server's own is not as it must be
	exitUsage = 2 // no connection, or wrong flags
)

func main() {
	// No core dump, no ptrace and no /proc/PID/mem for anybody: passwords pass through here.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	o, err := parseFlags(os.Args[1:])
	switch {
	case err != nil && !inetd.Handed():
		if audit.Readable(2) { // and not a connection that was reset since, or inetd's listening socket
			fmt.Fprintf(os.Stderr, "in.rexecd: %v\n\n%s", err, usage)
		}
		os.Exit(exitUsage)
	case err != nil:
		// A flag in inetd.conf: descriptor 2 may be the peer, who learns nothing of it.
		os.Exit(serve(o, err))
	case o.help:
		fmt.Print(usage)
	case o.version:
		fmt.Println("in.rexecd", version)
	case o.explain:
		os.Exit(explain(o))
	case o.record:
		os.Exit(record(o))
	case o.listeners > 0:
		os.Exit(serveAsWorker(o))
	default:
		os.Exit(serve(o, nil))
	}
}

// serve serves the one connection this process was started for. bad is a wrong
// flag, which is answered like a wrong setting.
func serve(o options, bad error) int {
	server := o.bare()
	log := server.Log
	conn, err := inetd.Take()
	switch {
	case errors.Is(err, inetd.ErrGone):
		log.Write(audit.Event{Kind: audit.ProtocolError, Reason: err})
		return exitOK
	case err != nil:
		fmt.Fprintln(os.Stderr, "in.rexecd:", err)
		return exitUsage
	}
	server.Config, err = o.server()
	if err = errors.Join(bad, err); err != nil {
		server.Decline(conn, rexecd.Misconfigured(err))
		return exitError
	}
	if o.refuse {
		server.Decline(conn, rexecd.TooManySessions())
		return exitOK
	}
	return serveConn(server, conn, nil)
}

// serveConn serves a connection to its end; tx is a PAM transaction that waits for
// it, or nil.
func serveConn(server *rexecd.Server, conn *inetd.Conn, tx *login.Login) int {
	defer func() {
		// The peer learns nothing of it, and descriptor 2 leads nowhere.
		if fault := recover(); fault != nil {
			server.Log.Write(audit.Event{Kind: audit.InternalError, Peer: conn.Peer,
				Reason: fmt.Errorf("%v: %s", fault, debug.Stack())})
			os.Exit(exitError)
		}
	}()
	server.Title = func(text string) { title.Set("in.rexecd: " + text) }
	server.Serve(conn, tx)
	return exitOK
}

// bare is a server without settings: where this process's records go, and those of
// the process that reports for it.
func (o options) bare() *rexecd.Server {
	log := &audit.Log{Unit: audit.Unit()}
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
