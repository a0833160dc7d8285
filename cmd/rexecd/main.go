// Command rexecd administers the server for the rexec(3) protocol and supervises
// its processes: it installs, checks and tries out the service, and accepts
// connections for in.rexecd, which serves them. See rexecd(8).
//
// It holds no PAM and no C, and reads nothing that a peer sends.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
)

var version = "devel"

// Exit statuses of rexecd(8).
const (
	exitOK    = 0
	exitError = 1 // something is missing, or was refused
	exitUsage = 2 // wrong flags
)

func main() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // settings and penalties are root's
	o, err := parseFlags(os.Args[1:])
	if inetd.Connected() && (err != nil || !o.verb()) {
		// In inetd.conf of AIX and HP-UX the server itself has this name. It
		// answers wrong flags, too: descriptor 2 may be the peer.
		os.Exit(report(becomeHandler(o, err)))
	}
	if err != nil {
		complain(err, usage)
		os.Exit(exitUsage)
	}
	switch {
	case o.help:
		fmt.Print(usage)
	case o.version:
		fmt.Println("rexecd", version)
	case o.install:
		os.Exit(report(installService(os.Stdout)))
	case o.remove:
		os.Exit(report(removeService(os.Stdout)))
	case o.penalties:
		os.Exit(report(penalties(os.Stdout, o)))
	case o.check:
		os.Exit(check(os.Stdout, o))
	case o.debug || o.standby > 0:
		os.Exit(report(supervise(o)))
	default:
		complain(errors.New("nothing to do; in.rexecd serves a connection and is started by inetd, xinetd, systemd or rexecd -standby"), usage)
		os.Exit(exitUsage)
	}
}

// report complains of an error, if there is one.
func report(err error) int {
	if err != nil {
		complain(err, "")
		return exitError
	}
	return exitOK
}

// complain writes to standard error, or to the log where that is a TCP socket: a
// peer, or a super-server's listening socket.
func complain(err error, usage string) {
	if inetd.LocalAddr(2).IsValid() {
		log := &audit.Log{Unit: audit.Unit()}
		log.Write(audit.Event{Kind: audit.ConfigError, Reason: err})
		return
	}
	if usage != "" {
		usage = "\n" + usage
	}
	fmt.Fprintf(os.Stderr, "rexecd: %v\n%s", err, usage)
}

// handler is the path of the program that serves a connection: in.rexecd, in the
// directory of this one.
func handler() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own path: %w", err)
	}
	return filepath.Join(filepath.Dir(own), "in.rexecd"), nil
}

// becomeHandler replaces this process, whose descriptor 0 or 3 is a connection,
// by in.rexecd. Wrong flags, -standby among them, are passed on as they stand: it
// refuses the peer and logs what is wrong.
func becomeHandler(o options, wrong error) error {
	path, err := handler()
	if err != nil {
		return err
	}
	argv := o.handlerArgs()
	if wrong != nil || o.standby > 0 {
		argv = append([]string{"in.rexecd"}, os.Args[1:]...)
	}
	return &os.PathError{Op: "start", Path: path, Err: syscall.Exec(path, argv, os.Environ())}
}
