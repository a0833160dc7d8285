package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"rexecd/cmd/rexec/job"
	"rexecd/pkg/rexec"
	"rexecd/pkg/settings"
)

// options are the command line, completed from the settings file.
type options struct {
	settingsFile string

	host, command string
	help, version bool

	user, password string
	hasUser        bool
	hasPassword    bool     // an empty one too
	passwordArgs   []string // where in argv they are
	passwordStdin  bool     // -p -
	passwordFile   string
	promptOnly     bool // -n
	batch          bool

	network     string
	port        int
	stderr      rexec.StderrMode
	hasStderr   bool
	stderrPorts rexec.PortRange
	stderrFrom  []netip.Prefix
	quirks      rexec.Quirks

	tls       bool
	tlsCA     string
	tlsCert   string
	tlsKey    string
	tlsName   string
	tlsConfig *tls.Config // what they say; nil: no TLS

	connectTimeout time.Duration
	stderrTimeout  time.Duration
	timeout        time.Duration

	noInput, nullInput bool // -i, -N
	keepInputOpen      bool // -c
	noSignals          bool
	rshSignals         bool // -b
	bsdSignals         bool
	status             bool
	trace              bool
}

// An option is one of the letters or names, and what it does. set gets the
// value; an option whose takesValue is false gets "".
type option struct {
	letter     byte
	name       string
	takesValue bool
	set        func(o *options, value string) error
}

func (o *options) flag(b *bool) error { *b = true; return nil }

func optionTable() []option {
	return []option{
		{'4', "ipv4", false, func(o *options, _ string) error { o.network = "tcp4"; return nil }},
		{'6', "ipv6", false, func(o *options, _ string) error { o.network = "tcp6"; return nil }},
		{'a', "no-stderr", false, func(o *options, _ string) error { return o.setStderr("no") }},
		{'b', "rsh-signals", false, func(o *options, _ string) error { return o.flag(&o.rshSignals) }},
		{'B', "batch", false, func(o *options, _ string) error { return o.flag(&o.batch) }},
		{'c', "keep-input-open", false, func(o *options, _ string) error { return o.flag(&o.keepInputOpen) }},
		{'d', "trace", false, func(o *options, _ string) error { return o.flag(&o.trace) }},
		{'h', "help", false, func(o *options, _ string) error { return o.flag(&o.help) }},
		{'i', "no-input", false, func(o *options, _ string) error { return o.flag(&o.noInput) }},
		{'l', "user", true, func(o *options, v string) error { o.user = v; return o.flag(&o.hasUser) }},
		{'n', "prompt", false, func(o *options, _ string) error { return o.flag(&o.promptOnly) }},
		{'N', "null-input", false, func(o *options, _ string) error { return o.flag(&o.nullInput) }},
		{'p', "password", true, (*options).setPassword},
		{0, "password-file", true, func(o *options, v string) error { o.passwordFile = v; return nil }},
		{'P', "port", true, func(o *options, v string) (err error) { o.port, err = parsePort(v); return }},
		{'q', "quirk", true, (*options).setQuirks},
		{'s', "no-signals", false, func(o *options, _ string) error { return o.flag(&o.noSignals) }},
		{0, "status", false, func(o *options, _ string) error { return o.flag(&o.status) }},
		{0, "stderr", true, (*options).setStderr},
		{0, "stderr-from", true, func(o *options, v string) (err error) { o.stderrFrom, err = settings.ParseFrom(v); return }},
		{0, "stderr-port", true, func(o *options, v string) (err error) { o.stderrPorts, err = parsePorts(v); return }},
		{'t', "connect-timeout", true, func(o *options, v string) (err error) { o.connectTimeout, err = parseTime(v); return }},
		{'T', "timeout", true, func(o *options, v string) (err error) { o.timeout, err = parseTime(v); return }},
		{0, "tls", false, func(o *options, _ string) error { return o.flag(&o.tls) }},
		{0, "tls-ca", true, func(o *options, v string) error { o.tlsCA = v; return o.flag(&o.tls) }},
		{0, "tls-cert", true, func(o *options, v string) error { o.tlsCert = v; return o.flag(&o.tls) }},
		{0, "tls-key", true, func(o *options, v string) error { o.tlsKey = v; return o.flag(&o.tls) }},
		{0, "tls-name", true, func(o *options, v string) error { o.tlsName = v; return o.flag(&o.tls) }},
		{'V', "version", false, func(o *options, _ string) error { return o.flag(&o.version) }},
	}
}

// parseArgs reads options, the host, more options, and the command with all
// that belongs to it. Its words are joined by single spaces and not quoted, as
// every rexec does: the remote shell splits them again.
func parseArgs(argv []string) (options, error) {
	var o options
	table := optionTable()
	rest, err := parseOptions(&o, table, argv[1:])
	if err != nil || o.help || o.version {
		return o, err
	}
	if len(rest) == 0 {
		return o, errors.New("no host given: rexec [options] host command [arg...]")
	}
	o.host = rest[0]
	if err := checkHost(o.host); err != nil {
		return o, err
	}
	rest, err = parseOptions(&o, table, rest[1:])
	if err != nil || o.help || o.version {
		return o, err
	}
	if len(rest) == 0 {
		return o, errors.New("no command given: rexec [options] host command [arg...] (rexec has no interactive logins)")
	}
	o.command = strings.Join(rest, " ")
	return o, o.check()
}

// parseOptions takes options from the front of args and returns the rest.
func parseOptions(o *options, table []option, args []string) ([]string, error) {
	return job.ParseOptions(args, func(letter byte, name string) (set func(string) error, takesValue, ok bool) {
		for _, opt := range table {
			if letter != 0 && opt.letter == letter || letter == 0 && opt.name == name {
				return func(value string) error { return opt.set(o, value) }, opt.takesValue, true
			}
		}
		return nil, false, false
	})
}

func (o *options) setPassword(value string) error {
	o.hasPassword, o.passwordStdin = value != "-", value == "-"
	o.password, o.passwordArgs = strings.Clone(value), append(o.passwordArgs, value)
	return nil
}

func (o *options) setStderr(value string) error {
	modes := []string{rexec.StderrYes: "yes", rexec.StderrNo: "no", rexec.StderrAuto: "auto"}
	for mode, name := range modes {
		if value == name {
			o.stderr, o.hasStderr = rexec.StderrMode(mode), true
			return nil
		}
	}
	return fmt.Errorf("%q is not yes, no or auto", value)
}

func (o *options) setQuirks(value string) error {
	for _, quirk := range strings.Split(value, ",") {
		switch quirk {
		case "no-status":
			o.quirks.NoStatus = true
		case "late-stderr":
			o.quirks.LateStderr = true
		case "status-on-primary":
			o.quirks.StatusOnPrimary = true
		case "status-on-stderr":
			o.quirks.StatusOnStderr = true
		case "bsd-signals":
			o.bsdSignals = true
		default:
			return fmt.Errorf("%q is not no-status, late-stderr, status-on-primary, status-on-stderr or bsd-signals", quirk)
		}
	}
	return nil
}

// check finds what cannot go together.
func (o *options) check() error {
	switch {
	case o.passwordStdin && o.passwordFile != "", o.hasPassword && o.passwordFile != "":
		return errors.New("-p and --password-file: only one can give the password")
	case o.noInput && o.nullInput:
		return errors.New("-i and -N: the command's input is left open by one and ended by the other")
	case o.keepInputOpen && o.nullInput:
		return errors.New("-c and -N: the command's input is left open by one and ended by the other")
	case o.quirks.StatusOnPrimary && o.quirks.StatusOnStderr:
		return errors.New("-q status-on-primary and status-on-stderr: the status byte comes on one connection")
	}
	return nil
}

// connectLimit is the limit in force for connecting.
func (o *options) connectLimit() time.Duration {
	if o.connectTimeout > 0 {
		return o.connectTimeout
	}
	return rexec.DefaultTimeout
}
