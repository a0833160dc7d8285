package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"rexecd/pkg/inetd"
	"rexecd/pkg/prefork"
)

// supervise is -standby and -debug, which is a standby of none: it starts
// in.rexecd ahead of each connection, or once for each.
func supervise(o options) error {
	if _, err := readSettings(o.config); err != nil {
		return err
	}
	path, err := handler()
	if err == nil {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return &os.PathError{Op: "start", Path: path, Err: err}
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
	signals, err := catchSignals()
	if err != nil {
		return err
	}
	cold := o.handlerArgs()
	s := &prefork.Supervisor{
		Listeners: listeners, Idle: o.standby, Max: o.max, PerSource: o.perSource,
		Path: path, Cold: cold, Warm: append(cold[:len(cold):len(cold)], "-worker", strconv.Itoa(len(listeners))),
		Stderr: 2, Log: os.Stderr, Signals: signals,
	}
	notifySystemd(s)
	if o.debug {
		for _, fd := range listeners {
			fmt.Fprintf(os.Stderr, "rexecd %s: listening on %v; Ctrl-C ends it\n", version, inetd.LocalAddr(fd))
		}
		for _, line := range missingCapabilities() {
			fmt.Fprintln(os.Stderr, "rexecd:", line)
		}
	}
	return s.Run()
}

// catchSignals returns what Supervisor.Signals wants.
func catchSignals() (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, os.NewSyscallError("pipe", err)
	}
	c := make(chan os.Signal, 16)
	signal.Notify(c, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	go func() {
		for sig := range c {
			_, _ = unix.Write(p[1], []byte{byte(sig.(syscall.Signal))}) // full: 65,536 of them wait already
		}
	}()
	return p[0], nil
}

// notifySystemd tells a service of Type=notify when the handlers wait, and its
// watchdog that the supervisor is alive.
func notifySystemd(s *prefork.Supervisor) {
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
