package main

import (
	"os"
	"path/filepath"
	"strings"
)

// checkStarter looks at who would start the server: systemd's socket, inetd's line, xinetd's entry. One is right; two would
// want the same port.
func checkStarter(options) []finding {
	var found []finding
	if systemdRuns() {
		for _, unit := range []string{socketUnit, standbyUnit} {
			active, enabled := unitIs("active", unit), unitIs("enabled", unit)
			switch {
			case active && enabled:
				found = append(found, good("systemd: %s is enabled and listens", unit))
			case active:
				found = append(found, good("systemd: %s listens, but not after the next boot: systemctl enable %s", unit, unit))
			case enabled:
				found = append(found, bad("systemd: %s is enabled and not running: systemctl start %s, and systemctl status %s tells why not", unit, unit, unit))
			}
		}
	}
	n := 0
	for line := range strings.Lines(contents(inetdConf)) {
		n++
		if server, ok := execLine(line); ok && ours(server) {
			if !exists(server) {
				found = append(found, bad("inetd: line %d of %s starts %s, which is not there", n, inetdConf, server))
			} else {
				found = append(found, superServerFinding(inetdServer, "line %d of "+inetdConf, n))
			}
		} else if ok {
			found = append(found, bad("inetd: line %d of %s starts another server, %s: take it out", n, inetdConf, server))
		}
	}
	if xinetdEnabled(contents(xinetdConf)) {
		found = append(found, superServerFinding(xinetdServer, xinetdConf))
	}
	if found == nil {
		found = []finding{bad("start: neither rexec.socket nor inetd nor xinetd is set to start the server: rexecd -install")}
	}
	return found
}

func superServerFinding(s superServer, where string, args ...any) finding {
	if len(s.running()) == 0 {
		return bad(s.programs[0]+": "+where+" is in place, but "+s.programs[0]+" is not running: start it", args...)
	}
	return good(s.programs[0]+": "+where+" is in place", args...)
}

func contents(path string) string {
	text, _ := os.ReadFile(path) // absent is empty
	return string(text)
}

// checkFirewall can only hint: whether a packet gets here is decided in many places.
func checkFirewall(options) []finding {
	if named("firewalld") != nil {
		return []finding{good("firewall: firewalld runs; firewall-cmd --list-services shows whether it lets clients in, firewall-cmd --permanent --add-service=rexec does so")}
	}
	if strings.Contains(contents("/etc/ufw/ufw.conf"), "ENABLED=yes") {
		return []finding{good("firewall: ufw is on; ufw status shows whether it lets clients in, ufw allow proto tcp from NETWORK to any port 512 does so")}
	}
	return []finding{good("firewall: neither firewalld nor ufw; clients need TCP port 512 here, and let the stderr connection in from here")}
}

// service is the PAM service name: /etc/pam.d/rexec, as everywhere.
const service = "rexec"

// checkPAM reads the service's stack with all that it includes.
func checkPAM(options) []finding {
	for _, dir := range pamDirs {
		if !exists(dir + service) {
			continue
		}
		stack := pamStack(dir+service, 0)
		var found []finding
		for _, facility := range []string{"auth", "account", "session"} {
			if !stack.has[facility] {
				found = append(found, bad("PAM: %s%s has no %s lines: take the file that is shipped with in.rexecd", dir, service, facility))
			}
		}
		for _, m := range stack.missing {
			found = append(found, bad("PAM: %s, which %s%s asks for, is not installed", m, dir, service))
		}
		if found == nil {
			found = []finding{good("PAM: %s%s, with session lines", dir, service)}
		}
		return found
	}
	return []finding{bad("PAM: /etc/pam.d/%s is missing: PAM falls back to /etc/pam.d/other, which refuses everybody on most hosts; install the file that is shipped with in.rexecd", service)}
}

// Where Linux-PAM looks for service files.
var pamDirs = []string{"/etc/pam.d/", "/usr/lib/pam.d/", "/usr/etc/pam.d/"}

// A stack is what the lines of a PAM service file ask for.
type stack struct {
	has     map[string]bool // facilities with a module
	missing []string        // modules that are not installed
}

// pamStack reads a service file. Its lines are "[-]facility control module arguments", the control a word or
// "[value=action …]"; "include", "substack" and Debian's "@include" name another file.
func pamStack(path string, depth int) stack {
	s := stack{has: map[string]bool{}}
	if depth > 8 {
		return s // a file that includes itself
	}
	add := func(name, only string) {
		for _, dir := range pamDirs {
			if exists(dir + name) {
				inner := pamStack(dir+name, depth+1)
				for facility := range inner.has {
					s.has[facility] = s.has[facility] || only == "" || only == facility
				}
				s.missing = append(s.missing, inner.missing...)
				return
			}
		}
		s.missing = append(s.missing, "the file "+name)
	}
	text := strings.ReplaceAll(contents(path), "\\\n", " ")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == "@include" {
			add(f[1], "")
			continue
		}
		if len(f) < 3 {
			continue
		}
		facility, optional := strings.CutPrefix(f[0], "-")
		module := f[2]
		if strings.HasPrefix(f[1], "[") {
			_, rest, _ := strings.Cut(line, "]")
			if r := strings.Fields(rest); len(r) > 0 {
				module = r[0]
			}
		}
		if f[1] == "include" || f[1] == "substack" {
			add(module, facility)
			continue
		}
		s.has[facility] = true
		if !optional && !moduleExists(module) {
			s.missing = append(s.missing, module)
		}
	}
	return s
}

// moduleExists looks where the distributions keep PAM modules: /lib/ARCH-linux-gnu/security on Debian, /usr/lib64/security on
// Fedora and SUSE.
func moduleExists(module string) bool {
	if filepath.IsAbs(module) {
		return exists(module)
	}
	for _, pattern := range []string{"/usr/lib/*/security/", "/lib/*/security/", "/usr/lib64/security/", "/lib64/security/", "/usr/lib/security/", "/lib/security/"} {
		if found, _ := filepath.Glob(pattern + module); len(found) > 0 {
			return true
		}
	}
	return false
}
