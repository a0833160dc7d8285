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
	if err == nil {
		err = inetd.DetachStdio()
	}
	if err != nil {
		log.Write(audit.Event{Kind: audit.InternalError, Reason: err})
		return exitError
	}
	server, bad := o.server()
	if bad == nil {
		server.Log, server.Exit = log, os.Exit
		bad = server.StandBy()
	}
	// With bad settings it waits all the same: to end would have the supervisor start
	// the next one, and the next.
	fd, served, err := worker.Accept(inetd.AsNobody)
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
	if !served {
		return refuse(log, conn)
	}
	if bad != nil { // what was wrong when this process started may have been mended since
		server, bad = o.server()
	}
	if bad != nil {
		log.Write(audit.Event{Kind: audit.ConfigError, Peer: conn.Peer, Reason: bad})
		rexecd.Refuse(conn, "Try again.")
		return exitError
	}
	server.Log, server.Exit = log, os.Exit
	return serveConn(server, conn)
}

// refuse refuses a connection that exceeds its source's limit.
func refuse(log *audit.Log, conn *inetd.Conn) int {
	log.Write(audit.Event{Kind: audit.Penalised, Peer: conn.Peer, Reason: errors.New("too many sessions from this source")})
	rexecd.Refuse(conn, "Try again.")
	return exitOK
}
