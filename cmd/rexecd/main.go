// Command rexecd administers the server for the rexec(3) protocol and supervises
// its processes: it installs, checks and tries out the service, and accepts
// connections for in.rexecd, which serves them. See rexecd(8).
//
// It holds no PAM and no C, and reads nothing that a peer sends.
package main

import (
	"errors"
	"fmt"
	"io"
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
	messages := &audit.Messages{Name: "rexecd", Stderr: 2, Unit: audit.Unit()}
	o, err := parseFlags(os.Args[1:])
	if inetd.Connected() && (err != nil || !o.verb()) {
		// In inetd.conf of AIX and HP-UX the server itself has this name. It
		// answers wrong flags, too: descriptor 2 may be the peer.
		err = becomeHandler(o, err)
	} else if err == nil {
		err = run(o, messages)
	} else {
		err = &misuse{err}
	}
	var wrong *misuse
	switch {
	case errors.As(err, &wrong) && audit.Readable(2):
		fmt.Fprintf(os.Stderr, "rexecd: %v\n\n%s", err, usage)
		os.Exit(exitUsage)
	case wrong != nil:
		fmt.Fprintln(messages, err)
		os.Exit(exitUsage)
	case err != nil:
		fmt.Fprintln(messages, err)
		os.Exit(exitError)
	}
}

// misuse is an error that the usage follows, on a terminal.
type misuse struct{ error }

// run does what the flags ask for.
func run(o options, messages io.Writer) error {
	switch {
	case o.help:
		fmt.Print(usage)
	case o.version:
		fmt.Println("rexecd", version)
	case o.service != "":
		choose(o.service)
		o.service = ""
		return run(o, messages)
	case o.install && o.args != nil:
		return installTLS(os.Stdout)
	case o.install:
		return installService(os.Stdout)
	case o.remove:
		return removeService(os.Stdout)
	case o.penalties:
		return penalties(os.Stdout, o)
	case o.effective:
		return effective(os.Stdout, o)
	case o.explain:
		return explain(o)
	case o.report.asked:
		return makeReport(os.Stdout, o)
	case o.check:
		os.Exit(check(os.Stdout, o))
	case o.debug || o.standby > 0:
		return supervise(o, messages)
	default:
		return &misuse{errors.New("nothing to do; in.rexecd serves a connection and is started by inetd, xinetd, systemd or rexecd -standby")}
	}
	return nil
}

// handler is the path of the program that serves a connection: in.rexecd, in the
// directory of this one.
func handler() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own path: %w", err)
	}
	return filepath.Join(filepath.Dir(own), handlerName), nil
}

// explain is -explain. The accounts and the function that decides are the server's.
func explain(o options) error {
	path, err := handler()
	if err != nil {
		return err
	}
	argv := []string{handlerName}
	if o.config != "" {
		argv = append(argv, "-config", o.config)
	}
	if o.certificate != "" {
		argv = append(argv, "-certificate", o.certificate)
	}
	argv = append(append(argv, "-explain", "--"), o.args...)
	return &os.PathError{Op: "start", Path: path, Err: syscall.Exec(path, argv, os.Environ())}
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
		argv = append([]string{handlerName}, os.Args[1:]...)
	}
	return &os.PathError{Op: "start", Path: path, Err: syscall.Exec(path, argv, os.Environ())}
}
