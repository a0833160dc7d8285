package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// installService makes the host serve port 512, now and at every boot: MKS's rexecd -install. It says what it did, does
// nothing when all is done, and changes nothing when it cannot succeed.
func installService(out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: run sudo " + again("-install"))
	}
	install := installEntry
	if systemdRuns() {
		install = installSocket
	}
	if err := install(out); err != nil {
		return err
	}
	warnOfRefusals(out)
	return nil
}

// warnOfRefusals names what has a service that listens refuse everybody, or accept anybody: whoever installs it hears of it
// before the clients do.
func warnOfRefusals(out io.Writer) {
	for _, f := range append(checkSettings(), checkPAM()...) {
		if f.Level == fail {
			fmt.Fprintf(out, "but %s: %s\n", f.About, f.Text)
		}
	}
}

// removeService undoes it, under whatever super-server: MKS's rexecd -remove. Commands that run go on to their end.
func removeService(out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: run sudo " + again("-remove"))
	}
	done := false
	units := []string{socketUnit, standbyUnit}
	if service == "rexec" {
		units = append(units, tlsUnit)
	}
	for _, unit := range units {
		if !systemdRuns() || !unitIs("active", unit) && !unitIs("enabled", unit) {
			continue
		}
		if err := systemctl("disable", "--now", unit); err != nil {
			return err
		}
		fmt.Fprintf(out, "stopped and disabled %s; commands that run go on to their end\n", unit)
		done = true
	}
	for _, s := range []superServer{inetdServer(), xinetdServer()} {
		changed, err := removeEntry(out, s)
		if err != nil {
			return err
		}
		done = done || changed
	}
	if !done {
		fmt.Fprintln(out, "nothing to do: the service is not installed")
	}
	for _, l := range leaders(listeners(execPort)) {
		fmt.Fprintf(out, "port %d: %v still listens, which this does not stop\n", execPort, l)
	}
	return nil
}

func removeEntry(out io.Writer, s superServer) (changed bool, err error) {
	supervisors := s.supervisors() // before its entry is gone
	changed, err = rewrite(s.conf, func(conf string) (string, error) { return s.remove(conf), nil })
	if err != nil || !changed {
		return changed, err
	}
	fmt.Fprintf(out, "switched off the entry in %s\n", s.conf)
	if !reload(out, s) {
		fmt.Fprintf(out, "%s is not running: there is nobody to tell\n", s.programs[0])
	}
	err = awaitPort(func(l []listener) bool { return !s.holdsPort(l) }, s.programs[0]+fmt.Sprintf(" still listens on port %d: see its log", execPort))
	// Not before: it would start the next one.
	for _, l := range supervisors {
		// Those that it keeps ready hold the port a moment longer.
		held := slices.DeleteFunc(listeners(execPort), func(k listener) bool { return k != l && parent(k.pid) != l.pid })
		if err == nil && syscall.Kill(l.pid, syscall.SIGTERM) == nil {
			fmt.Fprintf(out, "stopped %v, which %s had started with \"wait\"; commands that run go on to their end\n", l, s.programs[0])
			err = awaitPort(func(now []listener) bool {
				return !slices.ContainsFunc(now, func(k listener) bool { return slices.Contains(held, k) })
			}, fmt.Sprintf("%v still listens on port %d", l, execPort))
		}
	}
	return true, err
}

// supervisors are the processes that the super-server gave its listening socket to.
func (s superServer) supervisors() []listener {
	var found []listener
	pids := s.running()
	for _, l := range listeners(execPort) {
		if l.supervises() && slices.Contains(pids, parent(l.pid)) {
			found = append(found, l)
		}
	}
	return found
}

// servedBy returns the entry by which one of the listeners, a super-server, starts
// our server.
func servedBy(l []listener) (entry, bool) {
	for _, e := range entries() {
		if ours(e.server) && (e.by.holdsPort(l) || len(e.by.supervisors()) > 0) {
			return e, true
		}
	}
	return entry{}, false
}

func portTaken(l []listener) error {
	return fmt.Errorf("port %d is taken by %v: stop it first; nothing was changed", execPort, l[0])
}

// conflict returns what is in the way of an entry for a super-server.
func conflict(s superServer) error {
	for _, e := range entries() {
		if !ours(e.server) {
			return fmt.Errorf("%s starts %s for this service: take that entry out first", e.where, e.server)
		}
		if err := e.check(); err != nil {
			return err
		}
		if e.by.programs[0] != s.programs[0] {
			return fmt.Errorf("%s is set to start %s, and %s runs: run %s first, or start %s",
				e.where, e.server, s.programs[0], again("-remove"), e.by.programs[0])
		}
	}
	return nil
}

func installEntry(out io.Writer) error {
	s, err := chooseSuperServer()
	if err != nil {
		for _, l := range leaders(listeners(execPort)) {
			if l.supervises() {
				fmt.Fprintf(out, "nothing to do: %v listens on port %d, without a super-server\n", l, execPort)
				return nil
			}
		}
		return err
	}
	server, err := handler()
	if err != nil {
		return err
	}
	if strings.ContainsAny(server, " \t\r\n\"\\") {
		return fmt.Errorf("%s cannot name %q, whose path has a space or a quote: install %s elsewhere; nothing was changed", s.conf, server, handlerName)
	}
	if l := listeners(execPort); l != nil && !s.holdsPort(l) && len(s.supervisors()) == 0 {
		return portTaken(l)
	}
	if err := conflict(s); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	changed, err := rewrite(s.conf, func(conf string) (string, error) { return s.add(conf, server) })
	if err != nil {
		return err
	}
	switch l := listeners(execPort); {
	case changed:
		fmt.Fprintf(out, "switched on the entry in %s\n", s.conf)
	case (s.holdsPort(l) || len(s.supervisors()) > 0) && !lacksIPv6(s):
		fmt.Fprintf(out, "nothing to do: %s has the entry, and %s listens on port %d\n", s.conf, s.programs[0], execPort)
		return nil
	default: // it was never read
		fmt.Fprintf(out, "%s has the entry\n", s.conf)
	}
	if !reload(out, s) {
		fmt.Fprintf(out, "%s is not running: start it, then run %s\n", s.programs[0], again("-check"))
		return nil
	}
	if err := awaitPort(s.holdsPort, s.programs[0]+fmt.Sprintf(" does not listen on port %d: see its log", execPort)); err != nil {
		return err
	}
	if err := serveIPv6(out, s); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s listens on port %d\n", s.programs[0], execPort)
	return nil
}

// serveIPv6 sees to it that an inetd listens over IPv6 as well, if its lines are
// those of -install. OpenBSD's opens a socket for the line with tcp and one for
// that with tcp6; the tcp6 socket of inetutils' and busybox' takes IPv4 too, and cannot be had beside the other.
func serveIPv6(out io.Writer, s superServer) error {
	if text := contents(s.conf); s.conf != inetdConf || dropIPv4(text) == text || within(2*time.Second, listensIPv6) {
		return nil
	}
	if _, err := rewrite(s.conf, func(conf string) (string, error) { return dropIPv4(conf), nil }); err != nil {
		return err
	}
	fmt.Fprintln(out, "this inetd wants one line, tcp6, for IPv4 and IPv6: took the other out again")
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		// The first signal closes the one socket; some open the other only at the next.
		reload(io.Discard, s)
		if within(500*time.Millisecond, listensIPv6) {
			return nil
		}
	}
	return fmt.Errorf("%s does not listen on port %d over IPv6: see its log", s.programs[0], execPort)
}

// lacksIPv6 reports whether -install wrote a line for IPv6 that this inetd could not have beside the one for IPv4: it was not
// running then.
func lacksIPv6(s superServer) bool {
	text := contents(s.conf)
	return s.conf == inetdConf && dropIPv4(text) != text && exists("/proc/net/if_inet6") && !listensIPv6()
}

func listensIPv6() bool {
	table, _ := os.ReadFile("/proc/net/tcp6") // no IPv6, no listener
	return listening(string(table), execPort) != nil
}

// within waits for a condition, and reports whether it came true in time.
func within(patience time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

// reload tells the super-server to read its entries again; false when there is none to tell.
func reload(out io.Writer, s superServer) bool {
	pids := s.running()
	for _, pid := range pids {
		// Gone in between is as good as told.
		if err := syscall.Kill(pid, syscall.SIGHUP); err == nil {
			fmt.Fprintf(out, "told %s (process %d) to read it again\n", s.programs[0], pid)
		}
	}
	return len(pids) > 0
}

// awaitPort waits until port 512's listeners are as they should be: a reload is a signal, and takes effect when it does.
func awaitPort(as func([]listener) bool, complaint string) error {
	if !within(10*time.Second, func() bool { return as(listeners(execPort)) }) {
		return errors.New(complaint)
	}
	return nil
}
