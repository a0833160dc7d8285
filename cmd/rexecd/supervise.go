package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/prefork"
	"rexecd/pkg/rexecd/rules"
	"rexecd/pkg/settings"
)

// supervise is -standby and -debug, which is a standby of none: it starts
// in.rexecd ahead of each connection, or once for each.
//
// With wrong settings the service starts all the same: clients are refused, and
// served once the file is mended. At a terminal somebody is there to mend it.
func supervise(o options, messages io.Writer) error {
	// Whatever writes to a descriptor 1 or 2 that nobody reads must not end us.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	single, err := takeSingle(o)
	if err != nil {
		return err
	}
	switch err := readSettings(o.config); {
	case err != nil && o.standby == 0:
		return err
	case err != nil:
		fmt.Fprintln(messages, err)
	}
	path, err := handler()
	if err == nil {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return &os.PathError{Op: "start", Path: path, Err: err}
	}
	listeners, err := o.listeners()
	if err != nil {
		return err
	}
	if !audit.Readable(2) {
		// Under inetd's "wait" descriptors 0 to 2 are the listening socket, which no handler
		// must have as its standard error.
		if err := inetd.DetachStdio(); err != nil {
			return err
		}
	}
	signals, err := catchSignals()
	if err != nil {
		return err
	}
	cold := o.handlerArgs()
	if !o.debug && audit.Readable(2) {
		cold = append(cold, "-stderr")
	}
	if single > 0 {
		cold = append(cold, "-single")
	}
	s := &prefork.Supervisor{
		Listeners: listeners, Idle: o.standby, Max: o.max, PerSource: o.perSource,
		Path: path, Cold: cold, Warm: append(cold[:len(cold):len(cold)], "-worker", strconv.Itoa(len(listeners))),
		Zygote: append(cold[:len(cold):len(cold)], "-zygote", strconv.Itoa(len(listeners))), Service: service, Watch: o.watched(),
		Stderr: 2, Secret: single, Log: messages, AsNobody: inetd.AsNobody, Signals: signals,
	}
	s.Reload = func() { // whoever made a mistake hears of it before a client does
		if err := readSettings(o.config); err != nil {
			fmt.Fprintln(messages, err)
		}
	}
	notifySystemd(s)
	announce(messages, o, listeners, single > 0)
	return s.Run()
}

// watched are the files that decide what a handler loads, and the settings.
func (o options) watched() []string {
	config := []string{o.config}
	if o.config == "" {
		config = []string{settings.ServerFile, settings.ServerFile + ".d"}
	}
	return append(config, "/etc/pam.d", "/etc/pam.conf", "/usr/lib/pam.d", "/usr/share/pam.d", // pam.d(5), and where vendors have it
		"/etc/nsswitch.conf", "/etc/ld.so.cache", "/etc/ld.so.preload")
}

// readSettings reads the settings as in.rexecd does, rules included.
func readSettings(file string) error {
	set, from, err := settings.ReadServer(file)
	if err == nil {
		_, err = rules.New(set, from)
	}
	return err
}

// listeners returns the sockets that somebody else made, or those of -listen.
func (o options) listeners() ([]int, error) {
	listeners, err := inetd.Listeners()
	if err == nil && (o.listen != "" || len(listeners) == 0 && o.debug) {
		listeners, err = listen(o.listen)
	}
	if err == nil && len(listeners) == 0 {
		err = errors.New("-standby needs a listening socket: from systemd (rexec-standby.socket), from inetd (wait), or -listen [addr]:port")
	}
	return listeners, err
}

// announce says what is about to run. systemd and inetd know what they have started.
func announce(messages io.Writer, o options, listeners []int, single bool) {
	switch {
	case o.debug:
		for _, fd := range listeners {
			fmt.Fprintf(messages, "version %s, listening on %v; Ctrl-C ends it\n", version, inetd.LocalAddr(fd))
		}
		if single {
			fmt.Fprintln(messages,
				"only the user and the password of USERID and PASSWORD are let in; commands run as the invoking user")
			return
		}
		for _, line := range missingCapabilities() {
			fmt.Fprintln(messages, line)
		}
	case o.listen != "":
		for _, fd := range listeners {
			fmt.Fprintf(messages, "version %s, listening on %v, processes kept ready: %d\n", version, inetd.LocalAddr(fd), o.standby)
		}
	}
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
