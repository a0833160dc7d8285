package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/rexecd"
	"rexecd/pkg/session"
	"rexecd/pkg/standby"
)

// supervise is -standby and -debug, which is a standby of none: it starts this
// program once for each connection, or ahead of it.
func supervise(o options) error {
	if _, err := o.server(); err != nil {
		return err
	}
	listeners, err := inetd.Listeners()
	if err == nil && (o.listen != "" || len(listeners) == 0 && o.debug) {
		listeners, err = listen(o.listen)
	}
	switch {
	case err != nil:
		return err
	case len(listeners) == 0:
		return errors.New("-standby needs a listening socket: from systemd (rexec-standby.socket), from inetd (wait), or -listen [addr]:port")
	}
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own path: %w", err)
	}
	stop, err := session.CatchStop()
	if err != nil {
		return err
	}
	s := &standby.Supervisor{
		Listeners: listeners, Idle: o.standby, Max: o.max, PerSource: o.perSource,
		Path: path, Cold: handlerArgs(os.Args), Warm: append(handlerArgs(os.Args), "-place", strconv.Itoa(len(listeners))),
		Stderr: 2, Log: os.Stderr, Signals: stop.Fd(),
	}
	notifySystemd(s)
	if o.debug {
		announceDebug(listeners)
	}
	return s.Run()
}

// notifySystemd lets a service of Type=notify know when the handlers wait, and
// its watchdog that the supervisor is alive.
func notifySystemd(s *standby.Supervisor) {
	notify := func(state string) { _, _ = daemon.SdNotify(false, state) } // nobody asked: nobody is told
	s.Ready = func() { notify(daemon.SdNotifyReady) }
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	s.AliveEvery = every / 3
	var last time.Time
	s.Alive = func() {
		if time.Since(last) > s.AliveEvery/2 {
			notify(daemon.SdNotifyWatchdog)
			last = time.Now()
		}
	}
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
	server, bad := o.server()
	if bad == nil {
		server.Log, server.Exit = log, os.Exit
		bad = server.StandBy()
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

// listen opens the socket of -listen; by default one that only this host reaches.
func listen(addr string) ([]int, error) {
	if addr == "" {
		addr = "127.0.0.1:512"
		if os.Geteuid() != 0 {
			addr = "127.0.0.1:5120"
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		hint := ""
		switch {
		case errors.Is(err, syscall.EACCES):
			hint = ": ports under 1024 need the capability cap_net_bind_service; choose another with -listen"
		case errors.Is(err, syscall.EADDRINUSE):
			hint = ": something listens there already (in.rexecd -check says what)"
		}
		return nil, fmt.Errorf("listen on %s: %w%s", addr, err, hint)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	defer f.Close()
	// Out of the reach of Go's poller: handlers inherit it.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, os.NewSyscallError("fcntl", err))
	}
	return []int{fd}, nil
}

// announceDebug says on the terminal what can be expected.
func announceDebug(listeners []int) {
	for _, fd := range listeners {
		fmt.Fprintf(os.Stderr, "in.rexecd %s: listening on %v; Ctrl-C ends it\n", version, inetd.LocalAddr(fd))
	}
	for _, line := range missingCapabilities() {
		fmt.Fprintln(os.Stderr, "in.rexecd:", line)
	}
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
