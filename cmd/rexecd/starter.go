package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"rexecd/pkg/settings"
)

// checkStarter looks at who would start the server: systemd's socket, inetd's
// line, xinetd's entry, the supervisor by itself. One is right; two would want the
// same port.
func checkStarter() []finding {
	found, starters := checkUnits()
	all := entries()
	for i, e := range all {
		about := topic(e.by.programs[0])
		err := error(nil)
		if ours(e.server) {
			err = e.check()
		}
		same := func(b entry) bool { return b.by.programs[0] == e.by.programs[0] }
		if !slices.ContainsFunc(all[:i], same) { // an inetd may have a line for IPv4 and one for IPv6
			starters = append(starters, e.where)
		}
		if twin := slices.IndexFunc(all[:i], func(b entry) bool { return same(b) && b.socket == e.socket }); twin >= 0 {
			found = append(found, about.fail("%s and %s want the same socket: take one out", all[twin].where, e.where))
		}
		switch {
		case !ours(e.server):
			found = append(found, about.fail("%s starts another server, %s: take it out", e.where, e.server))
		case err != nil:
			found = append(found, about.fail("%v", err))
		case len(e.by.running()) == 0:
			found = append(found, about.fail("%s is in place, but %s is not running: start it, or switch the entry off (%s)", e.where, about, again("-remove")))
		case strings.HasSuffix(e.socket, " tcp6") && lacksIPv6(e.by):
			found = append(found, about.note("%s is in place, but %s does not listen over IPv6, which it cannot beside the line for IPv4: rexecd -install takes that out",
				e.where, about))
		default:
			found = append(found, about.ok("%s is in place", e.where))
		}
		if e.unrated && applets("inetd") == nil { // busybox' has no such limit
			found = append(found, about.note("%s: inetd stops the service for ten minutes after 256 connections in a minute (inetutils: 1000): write nowait.6000", e.where))
		}
		if ours(e.server) {
			found = append(found, namedSettings(e.where, e.args)...)
		}
	}
	const about = topic("start")
	if len(starters) > 1 {
		found = append(found, about.fail("%s all want port %d, and one gets it: switch the others off", strings.Join(starters, ", "), execPort))
	}
	for _, l := range listeners(execPort) {
		if len(starters) == 0 && l.pid != 0 && l.servesUs() {
			return append(found, about.ok("%v accepts connections itself", l))
		}
	}
	if len(starters) == 0 {
		found = append(found, about.fail("neither %s nor inetd nor xinetd is set to start the server: %s", socketUnit, again("-install")))
	}
	return found
}

// checkUnits looks at systemd's sockets. starters are those that are enabled.
func checkUnits() (found []finding, starters []string) {
	const about = topic("systemd")
	if !systemdRuns() {
		return nil, nil
	}
	var used []string
	for _, unit := range []struct{ socket, service string }{{socketUnit, service + "@check.service"}, {standbyUnit, service + "-standby.service"}} {
		active, enabled := unitIs("active", unit.socket), unitIs("enabled", unit.socket)
		switch {
		case active && enabled:
			found = append(found, about.ok("%s is enabled and listens", unit.socket))
		case active:
			found = append(found, about.note("%s listens, but not after the next boot: systemctl enable %[1]s", unit.socket))
		case enabled:
			found = append(found, about.fail("%s is enabled and does not listen: systemctl start %[1]s, and systemctl status %[1]s shows why not", unit.socket))
		}
		if enabled {
			starters = append(starters, unit.socket)
		}
		if active || enabled {
			found = append(found, checkExecStart(unit.service, unit.socket == standbyUnit)...)
			used = append(used, unit.socket)
		}
	}
	if len(used) == 1 {
		found = append(found, checkIdleDropIns(used[0])...)
	}
	return found, starters
}

// checkIdleDropIns looks for drop-ins of the socket that is off: who changes over
// from one to the other takes them to hold on.
func checkIdleDropIns(used string) []finding {
	const about = topic("systemd")
	idle := socketUnit
	if used == socketUnit {
		idle = standbyUnit
	}
	var found []finding
	for _, path := range unitDropIns(idle) {
		moved := strings.Replace(path, "/"+idle+".d/", "/"+used+".d/", 1)
		if moved != path && !exists(moved) { // others are for every socket
			found = append(found, about.note("%s has no effect on %s, which is in use: if that is to have it too, copy it to %s", path, used, moved))
		}
	}
	return found
}

// unitDropIns are the paths of a unit's drop-ins.
func unitDropIns(unit string) []string {
	out, err := exec.Command(systemctlPath(), "show", "--property=DropInPaths", "--value", unit).Output()
	if err != nil {
		return nil // an older installation without the unit
	}
	return strings.Fields(string(out))
}

// checkExecStart looks at the options that a unit passes: a drop-in may have
// others than what is shipped.
func checkExecStart(unit string, wait bool) []finding {
	const about = topic("systemd")
	out, err := exec.Command(systemctlPath(), "show", "--property=ExecStart", "--value", unit).Output()
	if err != nil {
		return []finding{about.fail("systemctl show %s: %v", unit, err)}
	}
	path, args := parseExecStart(string(out))
	shown := strings.Replace(unit, "@check", "@", 1)
	switch {
	case path == "":
		return []finding{about.fail("%s has no ExecStart=: systemctl cat %[1]s", shown)}
	case !exists(path):
		return []finding{about.fail("%s starts %s, which is not there", shown, path)}
	case !ours(path):
		return []finding{about.note("%s starts %s, whose options are not known here", shown, path)}
	}
	found := namedSettings(shown, args)
	if err := wrongArgs(path, args, wait); err != nil {
		found = append(found, about.fail("%s: ExecStart=%s %s: %v: clients are not served; systemctl cat %[1]s shows where that is from",
			shown, path, strings.Join(args, " "), err))
	}
	return found
}

// parseExecStart reads what systemctl shows: "{ path=P ; argv[]=A B ; … }".
// Arguments with a blank cannot be told from two.
func parseExecStart(text string) (path string, args []string) {
	for field := range strings.SplitSeq(text, " ; ") {
		if _, value, found := strings.Cut(field, "path="); found && path == "" {
			path = value
		}
		if value, found := strings.CutPrefix(field, "argv[]="); found {
			args = strings.Fields(value)[1:]
		}
	}
	return path, args
}

// namedSettings looks at the file of -config in an entry's options.
func namedSettings(where string, args []string) []finding {
	o, err := parseFlags(args)
	if err != nil || o.config == "" {
		return nil
	}
	server, from, err := settings.ReadServer(o.config)
	found := settingsFindings(server, from, err)
	for _, err := range from.Writable() {
		found = append(found, aboutSettings.fail("%v", err))
	}
	for i := range found {
		found[i].Text += fmt.Sprintf(" (named in %s)", where)
	}
	return found
}

// checkFirewall can only hint: whether a packet gets here is decided in many places.
func checkFirewall() []finding {
	const about = topic("firewall")
	if named("firewalld") != nil {
		return []finding{about.ok("firewalld runs; firewall-cmd --list-services shows whether it lets clients in, firewall-cmd --permanent --add-service=%s does so", service)}
	}
	if strings.Contains(contents("/etc/ufw/ufw.conf"), "ENABLED=yes") {
		return []finding{about.ok("ufw is on; ufw status shows whether it lets clients in, ufw allow proto tcp from NETWORK to any port %d does so", execPort)}
	}
	return []finding{about.ok("neither firewalld nor ufw; clients need TCP port %d here, and let the stderr connection in from here", execPort)}
}
