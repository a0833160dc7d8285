package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/login"
	"rexecd/pkg/rexecd"
	"rexecd/pkg/standby"
)

// supervisor is the program that -standby and -debug become, in the directory of
// this one.
const supervisor = "in.rexecd-standby"

// supervise is -standby and -debug, which is a standby of none: the supervisor
// starts this program once for each connection, or ahead of it.
func supervise(o options) error {
	if _, err := o.server(); err != nil {
		return err
	}
	path, program, err := programs()
	if err != nil {
		return err
	}
	argv := []string{supervisor, "-idle", strconv.Itoa(o.standby), "-max", strconv.Itoa(o.max), "-max-per-source", strconv.Itoa(o.perSource),
		"-listen", o.listen, fmt.Sprintf("-debug=%t", o.debug)}
	if o.debug {
		for _, line := range missingCapabilities() {
			argv = append(argv, "-say", line)
		}
	}
	argv = append(append(argv, "--", path), handlerArgs(os.Args)...)
	return &os.PathError{Op: "start", Path: program, Err: syscall.Exec(program, argv, os.Environ())}
}

// programs are the paths of this program and of the supervisor.
func programs() (own, supervising string, err error) {
	own, err = os.Executable()
	if err != nil {
		return "", "", fmt.Errorf("find own path: %w", err)
	}
	return own, filepath.Join(filepath.Dir(own), supervisor), nil
}

// serveFromPlace serves the one connection that this process, started ahead of
// it, will accept.
func serveFromPlace(o options) int {
	log := &audit.Log{Unit: audit.Unit()}
	if o.debug {
		log.Console = console()
	}
	place, err := standby.TakePlace(o.place)
	if err != nil {
		return report(err)
	}
	if err := inetd.DetachStdio(); err != nil {
		return report(err)
	}
	config, bad := o.server()
	server := &rexecd.Server{Config: config, Log: log, Exit: os.Exit}
	var tx *login.Login
	if bad == nil {
		tx, bad = server.Preload()
	}
	fd, served, err := place.Accept()
	switch {
	case err != nil:
		log.Write(audit.Event{Kind: audit.InternalError, Reason: err})
		return exitError
	case fd < 0:
		return exitOK
	}
	conn, err := inetd.New(fd)
	_ = syscall.Close(fd) // conn has its own: held open, the peer would wait for the end of this process
	switch {
	case errors.Is(err, inetd.ErrGone):
		log.Write(audit.Event{Kind: audit.ProtocolError, Reason: err})
		return exitOK
	case err != nil:
		log.Write(audit.Event{Kind: audit.InternalError, Reason: err})
		return exitError
	}
	switch {
	case bad != nil:
		server.Decline(conn, rexecd.Misconfigured(bad))
		return exitError
	case !served:
		server.Decline(conn, rexecd.TooManySessions())
		return exitOK
	}
	return serveConn(server, conn, tx)
}

// handlerArgs are this process's arguments without those for the supervisor.
func handlerArgs(args []string) []string {
	kept := args[:1:1]
	for i := 1; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.Replace(args[i], "--", "-", 1), "=")
		switch name {
		case "-listen", "-standby", "-max", "-max-per-source":
			if !joined {
				i++
			}
		default:
			kept = append(kept, args[i])
		}
	}
	return kept
}
