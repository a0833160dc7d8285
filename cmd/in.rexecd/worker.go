package main

import (
	"errors"
	"os"
	"syscall"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/prefork"
	"rexecd/pkg/rexecd"
)

// serveAsWorker serves the one connection that this process, started ahead of
// it by rexecd -standby, will accept.
func serveAsWorker(o options) int {
	log := &audit.Log{Unit: audit.Unit()}
	if o.console {
		log.Console = console()
	}
	worker, err := prefork.NewWorker(o.listeners)
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

// refuse refuses a connection that exceeds its source's limit.
func refuse(log *audit.Log, conn *inetd.Conn) int {
	log.Write(audit.Event{Kind: audit.Penalised, Peer: conn.Peer, Reason: errors.New("too many sessions from this source")})
	rexecd.Refuse(conn, "Try again.")
	return exitOK
}
