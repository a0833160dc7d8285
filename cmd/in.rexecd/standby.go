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
	"rexecd/pkg/prefork"
	"rexecd/pkg/rexecd"
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

// serveAsWorker serves the one connection that this process, started ahead of
// it, will accept.
func serveAsWorker(o options) int {
	log := &audit.Log{Unit: audit.Unit()}
	if o.debug {
		log.Console = console()
	}
	worker, err := prefork.NewWorker(o.place)
	if err != nil {
		return report(err)
	}
	if err := inetd.DetachStdio(); err != nil {
		return report(err)
	}
	server, bad := o.server()
	if bad == nil {
		server.Log, server.Exit = log, os.Exit
		bad = server.StandBy()
	}
	fd, served, err := worker.Accept()
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
		log.Write(audit.Event{Kind: audit.ConfigError, Peer: conn.Peer, Reason: bad})
	case served:
		return serveConn(server, conn)
	default:
		return refuse(log, conn)
	}
	rexecd.Refuse(conn, "Try again.")
	return exitError
}

// refuse refuses a connection that is one too many from its source.
func refuse(log *audit.Log, conn *inetd.Conn) int {
	log.Write(audit.Event{Kind: audit.Penalised, Peer: conn.Peer, Reason: errors.New("too many sessions from this source")})
	rexecd.Refuse(conn, "Try again.")
	return exitOK
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
