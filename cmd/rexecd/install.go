package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Units that listen on port 512: one process for each connection, or some kept ready.
const (
	socketUnit  = "rexec.socket"
	standbyUnit = "rexec-standby.socket"
)

// installService makes the host serve port 512, now and at every boot: MKS's rexecd -install. It says what it did, does
// nothing when all is done, and changes nothing when it cannot succeed.
func installService(out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: run sudo rexecd -install")
	}
	if systemdRuns() {
		return installSocket(out)
	}
	return installEntry(out)
}

// removeService undoes it, under whatever super-server: MKS's rexecd -remove. Commands that run go on to their end.
func removeService(out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: run sudo rexecd -remove")
	}
	done := false
	for _, unit := range []string{socketUnit, standbyUnit} {
		if !systemdRuns() || !unitIs("active", unit) && !unitIs("enabled", unit) {
			continue
		}
		if err := systemctl("disable", "--now", unit); err != nil {
			return err
		}
		fmt.Fprintf(out, "stopped and disabled %s; commands that run go on to their end\n", unit)
		done = true
	}
	for _, s := range []superServer{inetdServer, xinetdServer} {
		changed, err := removeEntry(out, s)
		if err != nil {
			return err
		}
		done = done || changed
	}
	if !done {
		fmt.Fprintln(out, "nothing to do: the service is not installed")
	}
	return nil
}

func removeEntry(out io.Writer, s superServer) (changed bool, err error) {
	changed, err = rewrite(s.conf, func(conf string) (string, error) { return s.remove(conf), nil })
	if err != nil || !changed {
		return changed, err
	}
	fmt.Fprintf(out, "switched off the entry in %s\n", s.conf)
	reload(out, s)
	return true, awaitPort(func(l []listener) bool { return !s.holdsPort(l) }, s.programs[0]+" still listens on port 512: see its log")
}

// systemdRuns is sd_booted(3).
func systemdRuns() bool { return exists("/run/systemd/system") }

func installSocket(out io.Writer) error {
	if ok, err := runSystemctl(true, "cat", socketUnit); err != nil || !ok {
		return fmt.Errorf("%s is not installed: install the package, or run make install, then systemctl daemon-reload", socketUnit)
	}
	for _, unit := range []string{socketUnit, standbyUnit} {
		if unitIs("active", unit) && unitIs("enabled", unit) {
			fmt.Fprintf(out, "nothing to do: %s is enabled and listens on port %d\n", unit, execPort)
			return nil
		}
	}
	active := unitIs("active", socketUnit)
	if l := listeners(execPort); !active && l != nil {
		return portTaken(l)
	}
	if err := systemctl("enable", "--now", socketUnit); err != nil {
		return err
	}
	fmt.Fprintf(out, "enabled and started %s: listening on port %d\n", socketUnit, execPort)
	return nil
}

func portTaken(l []listener) error {
	return fmt.Errorf("port %d is taken by %v: stop it first; nothing was changed", execPort, l[0])
}

func installEntry(out io.Writer) error {
	s, err := chooseSuperServer()
	if err != nil {
		return err
	}
	server, err := handler()
	if err != nil {
		return err
	}
	if strings.ContainsAny(server, " \t\n") {
		return fmt.Errorf("%s cannot name %q, whose path has a space: install in.rexecd elsewhere; nothing was changed", s.conf, server)
	}
	if l := listeners(execPort); l != nil && !s.holdsPort(l) {
		return portTaken(l)
	}
	changed, err := rewrite(s.conf, func(conf string) (string, error) { return s.add(conf, server) })
	if err != nil {
		return err
	}
	switch {
	case changed:
		fmt.Fprintf(out, "switched on the entry in %s\n", s.conf)
	case s.holdsPort(listeners(execPort)):
		fmt.Fprintf(out, "nothing to do: %s has the entry\n", s.conf)
		return nil
	default: // it was never read
		fmt.Fprintf(out, "%s has the entry\n", s.conf)
	}
	if !reload(out, s) {
		return nil
	}
	if err := awaitPort(s.holdsPort, s.programs[0]+" does not listen on port 512: see its log"); err != nil {
		return err
	}
	if err := serveIPv6(out, s); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s listens on port %d\n", s.programs[0], execPort)
	return nil
}

// serveIPv6 sees to it that an inetd listens over IPv6 as well. OpenBSD's opens a socket for the line with tcp and one for
// that with tcp6; the tcp6 socket of inetutils' and busybox' takes IPv4 too, and cannot be had beside the other.
func serveIPv6(out io.Writer, s superServer) error {
	if s.conf != inetdConf || !exists("/proc/net/if_inet6") || within(2*time.Second, listensIPv6) {
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
	return errors.New(s.programs[0] + " does not listen on port 512 over IPv6: see its log")
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

// holdsPort reports whether one of the listeners is this super-server.
func (s superServer) holdsPort(l []listener) bool {
	pids := s.running()
	return slices.ContainsFunc(l, func(l listener) bool { return slices.Contains(pids, l.pid) })
}

// reload tells the super-server to read its entries again; false when there is none to tell.
func reload(out io.Writer, s superServer) bool {
	pids := s.running()
	if len(pids) == 0 {
		fmt.Fprintf(out, "%s is not running: start it\n", s.programs[0])
		return false
	}
	for _, pid := range pids {
		// Gone in between is as good as told.
		if err := syscall.Kill(pid, syscall.SIGHUP); err == nil {
			fmt.Fprintf(out, "told %s (process %d) to read it again\n", s.programs[0], pid)
		}
	}
	return true
}

// awaitPort waits until port 512's listeners are as they should be: a reload is a signal, and takes effect when it does.
func awaitPort(as func([]listener) bool, complaint string) error {
	if !within(10*time.Second, func() bool { return as(listeners(execPort)) }) {
		return errors.New(complaint)
	}
	return nil
}

// unitIs asks whether a unit is active or enabled.
func unitIs(state, unit string) bool {
	ok, err := runSystemctl(true, "is-"+state, "--quiet", unit)
	return err == nil && ok
}

func systemctl(args ...string) error {
	ok, err := runSystemctl(false, args...)
	if err == nil && !ok {
		err = errors.New("it failed; its message is above")
	}
	if err != nil {
		return fmt.Errorf("run systemctl %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// runSystemctl starts the distribution's systemctl, whatever PATH says.
func runSystemctl(silent bool, args ...string) (ok bool, err error) {
	path := "/usr/bin/systemctl"
	if !exists(path) {
		path = "/bin/systemctl"
	}
	cmd := exec.Command(path, args...)
	if !silent {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	err = cmd.Run()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = nil
	}
	return err == nil && cmd.ProcessState.Success(), err
}
