package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"rexecd/pkg/policy"
	"rexecd/pkg/rexecd/rules"
	"rexecd/pkg/settings"
)

// A finding is one line of -check. Bad ones say what to do.
type finding struct {
	bad  bool
	text string
}

func good(format string, args ...any) finding { return finding{false, fmt.Sprintf(format, args...)} }
func bad(format string, args ...any) finding  { return finding{true, fmt.Sprintf(format, args...)} }

// check is -check: it looks at what must be in place and prints a line for each.
func check(out io.Writer, o options) int {
	status := exitOK
	for _, look := range []func(options) []finding{
		checkSettings, checkGuests, checkExit, checkPAM, checkServices, checkRights, checkLog, checkHandler, checkStarter, checkPort, checkFirewall,
	} {
		for _, f := range look(o) {
			mark := "ok  "
			if f.bad {
				mark, status = "FAIL", exitError
			}
			fmt.Fprintln(out, mark, f.text)
		}
	}
	return status
}

func checkSettings(o options) []finding {
	set, from, err := settings.ReadServer(o.config)
	var list policy.Rules
	if err == nil {
		list, err = rules.New(set, from)
	}
	var found []finding
	switch {
	case err != nil:
		found = []finding{bad("settings: %v; until this is mended every client is told \"Try again.\"", err)}
	case len(from.Files) == 0:
		found = []finding{good("settings: %s is absent: the defaults", settings.ServerFile)}
	default:
		found = []finding{good("settings: %s", strings.Join(from.Files, ", "))}
	}
	if len(list) > 0 {
		found = append(found, good("rules: %d, with %d tests; what matches none of them is denied", len(list), len(set.Tests)))
	}
	for _, err := range from.Writable() {
		found = append(found, bad("settings: %v", err))
	}
	return found
}

func checkServices(options) []finding {
	text, err := os.ReadFile("/etc/services")
	if err != nil {
		return []finding{bad("services: %v; inetd needs the line \"exec 512/tcp\" (Debian: apt-get install netbase)", err)}
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "exec" && f[1] == "512/tcp" {
			return []finding{good("services: exec is 512/tcp")}
		}
	}
	return []finding{bad("services: /etc/services lacks the line \"exec 512/tcp\": add it, inetd looks the port up there")}
}

func checkRights(options) []finding {
	missing := missingCapabilities()
	if len(missing) == 0 {
		return []finding{good("privileges: root with every capability that is used")}
	}
	var found []finding
	for _, m := range missing {
		found = append(found, bad("privileges: %s", m))
	}
	return found
}

func checkLog(options) []finding {
	for _, socket := range []struct{ path, what string }{
		{"/run/systemd/journal/socket", "journald; read it with journalctl -t in.rexecd"},
		{"/dev/log", "syslog (authpriv)"},
	} {
		if st, err := os.Stat(socket.path); err == nil && st.Mode()&os.ModeSocket != 0 {
			return []finding{good("log: %s", socket.what)}
		}
	}
	return []finding{bad("log: neither journald nor /dev/log is there: decisions would be recorded nowhere; start a syslog server")}
}

func checkHandler(options) []finding {
	path, err := handler()
	if err == nil {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return []finding{bad("server: %s: %v; every connection is served by this program, beside rexecd: install it there", path, err)}
	}
	return []finding{good("server: %s", path)}
}

func checkPort(options) []finding {
	who := listeners(execPort)
	if len(who) == 0 {
		return []finding{bad("port %d: nobody listens; rexecd -install starts the service, rexecd -debug tries it out", execPort)}
	}
	var found []finding
	for _, l := range who {
		found = append(found, good("port %d: %v listens", execPort, l))
	}
	return found
}
