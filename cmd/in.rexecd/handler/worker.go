package handler

import (
	"errors"
	"syscall"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/login"
	"rexecd/pkg/prefork"
	"rexecd/pkg/rexecd"
)

// serveAsWorker serves the one connection that this process, started ahead of
// it by rexecd -standby, will accept.
func (p *Program) serveAsWorker(o options) int {
	server := p.bare(o)
	log := server.Log
	worker, err := prefork.NewWorker(o.listeners)
	if err == nil {
		err = inetd.DetachStdio()
	}
	if err != nil {
		log.Write(audit.Event{Kind: audit.InternalError, Reason: err})
		return exitError
	}
	config, bad := p.server(o)
	server.Config = config
	var tx *login.Login
	if bad == nil {
		tx, bad = server.Preload()
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
	_ = syscall.Close(fd) // conn has its own: left open, the peer would wait for the end of this process
	switch {
	case errors.Is(err, inetd.ErrGone):
		log.Write(audit.Event{Kind: audit.ProtocolError, Reason: err})
		return exitOK
	case err != nil:
		log.Write(audit.Event{Kind: audit.InternalError, Reason: err})
		return exitError
	}
	if !served {
		p.Decline(server, conn, rexecd.TooManySessions())
		return exitOK
	}
	if bad != nil { // what was wrong when this process started may have been mended since
		server.Config, bad = p.server(o)
	}
	if bad != nil {
		p.Decline(server, conn, rexecd.Misconfigured(bad))
		return exitError
	}
	return p.serveConn(server, conn, tx)
}
