package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// systemdRuns is sd_booted(3).
func systemdRuns() bool { return exists("/run/systemd/system") }

func installSocket(out io.Writer) error {
	if ok, err := runSystemctl(true, "cat", socketUnit); err != nil || !ok {
		return fmt.Errorf("%s is not installed: install the package, or run make install, then systemctl daemon-reload", socketUnit)
	}
	done, other := false, ""
	for _, unit := range []string{socketUnit, standbyUnit} {
		active, enabled := unitIs("active", unit), unitIs("enabled", unit)
		switch {
		case active && enabled:
			fmt.Fprintf(out, "nothing to do: %s is enabled and listens on port %d\n", unit, execPort)
			done = true
		case unit == socketUnit: // is what is to be enabled
		case active:
			other = unit + " listens, but is not enabled: systemctl enable " + unit + " starts it at boot"
		case enabled:
			other = unit + " is enabled, but does not listen: systemctl start " + unit
		}
	}
	switch {
	case done:
		alsoSet(out)
		return nil
	case other != "":
		return fmt.Errorf("%s; or systemctl disable --now %s, to have %s; nothing was changed", other, standbyUnit, socketUnit)
	}
	active := unitIs("active", socketUnit)
	if l := listeners(execPort); !active && l != nil {
		if e, served := servedBy(l); served {
			fmt.Fprintf(out, "nothing to do: %s listens on port %d and starts %s (%s); to change over to %s, run %s first\n",
				e.by.programs[0], execPort, e.server, e.where, socketUnit, again("-remove"))
			return nil
		}
		return portTaken(l)
	}
	if err := systemctl("enable", "--now", socketUnit); err != nil {
		return err
	}
	fmt.Fprintf(out, "enabled and started %s: listening on port %d\n", socketUnit, execPort)
	alsoSet(out)
	return nil
}

// alsoSet names what would want the port as well, and is left as it is.
func alsoSet(out io.Writer) {
	for _, unit := range []string{socketUnit, standbyUnit} {
		if unitIs("enabled", unit) && !unitIs("active", unit) {
			fmt.Fprintf(out, "%s is enabled as well, and wants the same port: systemctl disable one of the two\n", unit)
		}
	}
	for _, e := range entries() {
		fmt.Fprintf(out, "%s is set to start %s on the same port: take it out, or %s and systemd compete for it at the next boot\n", e.where, e.server, e.by.programs[0])
	}
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
	cmd := exec.Command(systemctlPath(), args...)
	if !silent {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	err = cmd.Run()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = nil
	}
	return err == nil && cmd.ProcessState.Success(), err
}

// systemctlPath is the distribution's, whatever PATH says.
func systemctlPath() string {
	if path := "/usr/bin/systemctl"; exists(path) {
		return path
	}
	return "/bin/systemctl"
}
