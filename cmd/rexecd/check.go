package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A level is how much a finding matters.
type level int

const (
	ok   level = iota
	note       // worth knowing; the service works
	fail       // the service does not work, or is not what it is taken for
)

// names are those of -check -json.
var levelNames = [...]string{"ok", "note", "fail"}

func (l level) MarshalText() ([]byte, error) { return []byte(levelNames[l]), nil }

// mark begins a line of -check.
func (l level) mark() string { return [...]string{"ok  ", "note", "FAIL"}[l] }

// A finding is one line of -check. One that fails says what to do.
type finding struct {
	Level level  `json:"level"`
	About string `json:"about"`
	Text  string `json:"text"`
}

// A topic is what some findings are about.
type topic string

func (t topic) find(l level, format string, args ...any) finding {
	return finding{l, string(t), fmt.Sprintf(format, args...)}
}

func (t topic) ok(format string, args ...any) finding   { return t.find(ok, format, args...) }
func (t topic) note(format string, args ...any) finding { return t.find(note, format, args...) }
func (t topic) fail(format string, args ...any) finding { return t.find(fail, format, args...) }

// check is -check. With a settings file it looks at that and what it names: configuration
// management asks before it puts a new file in place, on a host where the rest
// may be still to come. It returns the exit status.
func check(out io.Writer, o options) int {
	looks := []func() []finding{
		checkSettings, o.checkGroups, o.checkGuests, o.checkExit, checkPAM, checkServices, checkRights, checkLog, checkHandler,
		checkStarter, checkPort, checkFirewall,
	}
	if service == "rsh" {
		looks = append(looks, o.checkTrust)
	} else {
		looks = append(looks, o.checkTLS)
	}
	if o.config != "" {
		named := func() []finding { return checkNamedSettings(o.config) }
		looks = []func() []finding{named, o.checkGroups, o.checkGuests, o.checkExit, o.checkTLS}
	}
	var found []finding
	worst := ok
	for _, look := range looks {
		for _, f := range look() {
			found = append(found, f)
			worst = max(worst, f.Level)
			if !o.json {
				fmt.Fprintf(out, "%s %s: %s\n", f.Level.mark(), f.About, f.Text)
			}
		}
	}
	if o.json {
		writeJSON(out, struct {
			Status   level     `json:"status"`
			Findings []finding `json:"findings"`
		}{worst, found})
	}
	if worst == fail {
		return exitError
	}
	return exitOK
}

// absent is the level of what the settings name and the host does not have: with a
// file on its way to its place, it may be on its way too.
func (o options) absent() level {
	if o.config != "" {
		return note
	}
	return fail
}

func writeJSON(out io.Writer, v any) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // nobody reads: the exit status is left
}

// checkServices looks for the name that inetd and xinetd look the port up by.
func checkServices() []finding {
	const about = topic("services")
	if portOf(contents("/etc/services"), portName) == execPort {
		return []finding{about.ok("%s is %d/tcp", portName, execPort)}
	}
	missing := fmt.Sprintf(`/etc/services lacks the line "%s %d/tcp"`, portName, execPort)
	for _, e := range entries() {
		if e.named {
			return []finding{about.fail("%s, by which %s finds the port: add it (Debian: apt-get install netbase)", missing, e.where)}
		}
	}
	return []finding{about.note("%s: inetd and xinetd would need it; systemd and rexecd do not", missing)}
}

func checkLog() []finding {
	const about = topic("log")
	for _, socket := range []struct{ path, what string }{
		{"/run/systemd/journal/socket", "journald; read it with journalctl -t " + handlerName},
		{"/dev/log", "syslog (authpriv)"},
	} {
		if st, err := os.Stat(socket.path); err == nil && st.Mode()&os.ModeSocket != 0 {
			return []finding{about.ok("%s", socket.what)}
		}
	}
	for _, l := range listeners(execPort) {
		if l.supervises() && l.name == "rexecd" {
			return []finding{about.note("neither journald nor /dev/log is there: %v writes its log to standard error, if that can be read", l)}
		}
	}
	return []finding{about.fail("neither journald nor /dev/log is there: decisions would be recorded nowhere; start a syslog server")}
}

func checkHandler() []finding {
	const about = topic("server")
	path, err := handler()
	if err == nil {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return []finding{about.fail("%s: %v; every connection is served by this program, beside rexecd: install it there", path, err)}
	}
	return []finding{about.ok("%s", path)}
}
