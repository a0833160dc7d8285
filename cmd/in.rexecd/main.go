// Command in.rexecd is the server for the rexec(3) protocol, started by inetd,
// xinetd or systemd once for each connection. See in.rexecd(8).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/rexecd"
)

var version = "devel"

// The main goroutine stays on the process's first thread: PAM needs it (package login).
func init() { runtime.LockOSThread() }

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
		fmt.Fprintf(os.Stderr, "in.rexecd: %v\n\n%s", err, usage)
		os.Exit(exitUsage)
	case err != nil:
		// A flag in inetd.conf: descriptor 2 may be the peer, who is not told.
		os.Exit(serve(o, err))
	case o.help:
		fmt.Print(usage)
	case o.version:
		fmt.Println("in.rexecd", version)
	case o.install:
		os.Exit(report(installService(os.Stdout)))
	case o.remove:
		os.Exit(report(removeService(os.Stdout)))
	case o.penalties:
		os.Exit(report(penalties(os.Stdout, o)))
	case o.check:
		os.Exit(check(os.Stdout, o))
	case o.debug && (o.listen != "" || !inetd.Handed()):
		os.Exit(report(superviseInForeground(o)))
	default:
		os.Exit(serve(o, nil))
	}
}

// report prints an error, if there is one.
func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "in.rexecd:", err)
		return exitError
	}
	return exitOK
}

// serve serves the one connection this process was started for. bad is a wrong
// flag, which is answered like a wrong setting.
func serve(o options, bad error) int {
	log := &audit.Log{}
	if o.debug {
		log.Console = console()
	}
	conn, err := inetd.Take()
	if err != nil {
		fmt.Fprintln(os.Stderr, "in.rexecd:", err)
		return exitUsage
	}
	defer func() {
		// The peer is told nothing of it, and descriptor 2 leads nowhere.
		if fault := recover(); fault != nil {
			log.Write(audit.Event{Kind: audit.InternalError, Peer: conn.Peer, Reason: fmt.Errorf("%v: %s", fault, debug.Stack())})
			os.Exit(exitError)
		}
	}()
	server, err := o.server()
	if err = errors.Join(bad, err); err != nil {
		log.Write(audit.Event{Kind: audit.ConfigError, Peer: conn.Peer, Reason: err})
		rexecd.Refuse(conn, "Try again.")
		return exitError
	}
	server.Log = log
	server.Exit = os.Exit
	server.Serve(conn)
	return exitOK
}

// console is this process's stderr, kept before it is pointed at /dev/null;
// nothing where it is a socket, which may be the peer.
func console() io.Writer {
	var st unix.Stat_t
	if unix.Fstat(2, &st) != nil || st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		return io.Discard
	}
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return io.Discard
	}
	return os.NewFile(uintptr(fd), "stderr")
}

const usage = `usage: in.rexecd [-mn] [-config file]            started by inetd, xinetd or systemd
       in.rexecd -debug [-listen [addr]:port]    accepts connections itself, logs here
       in.rexecd -check [-config file]           looks at what must be in place
       in.rexecd -install | -remove              starts or ends the service on this host
       in.rexecd -penalties [clear [address ...]]
                                                 lists the sources that have failed lately, or forgets them
       in.rexecd -version

  -m            shut the connections down when the command itself ends
  -n            no TCP keepalive
  -config file  settings other than /etc/rexecd.toml
  -c -D -s -S   accepted for compatibility; no name of a peer is ever looked up

See in.rexecd(8) and rexecd.toml(5).
`

// options are the flags.
type options struct {
	closeOnExit, noKeepAlive      bool
	debug, check, install, remove bool
	version, help                 bool
	penalties                     bool
	listen, config                string
	args                          []string // behind -penalties
}

func parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("in.rexecd", flag.ContinueOnError)
	f.SetOutput(io.Discard) // descriptor 2 may be the peer
	f.BoolVar(&o.closeOnExit, "m", false, "")
	f.BoolVar(&o.noKeepAlive, "n", false, "")
	for _, name := range []string{"c", "D", "s", "S"} {
		f.Bool(name, false, "") // AIX, Fedora, HP-UX: about looking peers' names up
	}
	f.BoolVar(&o.debug, "debug", false, "")
	f.BoolVar(&o.check, "check", false, "")
	f.BoolVar(&o.install, "install", false, "")
	f.BoolVar(&o.remove, "remove", false, "")
	f.BoolVar(&o.penalties, "penalties", false, "")
	f.BoolVar(&o.version, "version", false, "")
	f.StringVar(&o.listen, "listen", "", "")
	f.StringVar(&o.config, "config", "", "")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		o.help = true
		return o, nil
	case err != nil:
		return o, err
	case o.penalties:
		o.args = f.Args()
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.listen != "" && !o.debug:
		return o, errors.New("-listen goes with -debug")
	}
	return o, nil
}
