// Command in.rexecd-standby is the supervisor that in.rexecd -standby and
// in.rexecd -debug become: it keeps handlers ready on a listening socket, or
// starts one for each connection. See in.rexecd(8).
//
// It is a program of its own so that what listens holds no PAM and no C, and what
// is started for every connection holds nothing of a listener.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
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

const usage = "usage: in.rexecd -standby n, or in.rexecd -debug, which start this program; see in.rexecd(8)\n"

var version = "devel"

// options are the flags, which in.rexecd has checked.
type options struct {
	idle, max, perSource int
	debug                bool
	listen               string
	say                  []string // lines for the terminal, once it listens
	handler              []string // path and argv of a handler whose descriptor 0 is the connection
}

func main() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // nobody's business
	o, err := parseFlags(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "in.rexecd-standby: %v\n%s", err, usage)
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "in.rexecd:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("in.rexecd-standby", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.idle, "idle", 0, "")
	f.IntVar(&o.max, "max", 0, "")
	f.IntVar(&o.perSource, "max-per-source", 0, "")
	f.BoolVar(&o.debug, "debug", false, "")
	f.StringVar(&o.listen, "listen", "", "")
	f.Func("say", "", func(line string) error { o.say = append(o.say, line); return nil })
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.handler = f.Args(); len(o.handler) < 2 {
		return o, errors.New("no handler is named")
	}
	return o, nil
}

func run(o options) error {
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
	cold := o.handler[1:]
	s := &prefork.Supervisor{
		Listeners: listeners, Idle: o.idle, Max: o.max, PerSource: o.perSource,
		Path: o.handler[0], Cold: cold, Warm: append(cold[:len(cold):len(cold)], "-place", strconv.Itoa(len(listeners))),
		Stderr: 2, Log: os.Stderr, Signals: signals,
	}
	notifySystemd(s)
	if o.debug {
		for _, fd := range listeners {
			fmt.Fprintf(os.Stderr, "in.rexecd %s: listening on %v; Ctrl-C ends it\n", version, inetd.LocalAddr(fd))
		}
	}
	for _, line := range o.say {
		fmt.Fprintln(os.Stderr, "in.rexecd:", line)
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

// notifySystemd lets a service of Type=notify know when the handlers wait, and
// its watchdog that the supervisor is alive.
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
