package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rexecd/cmd/rexec/job"
)

const usage = `usage: rsh [-46adinsV] [-l user[/password]] [-p port] [--status] host command [arg...]

  -l, --user NAME[/WORD]   user on the host, and password; other users may see the
                           password for a moment: REXEC_PASS is another way
  -p, --port N             port of the server (514)
  -4, --ipv4  -6, --ipv6   only this family of addresses
  -a, --no-stderr          one connection: standard error is mixed into the
                           output, no signals
  -n, --null-input         the command's input is empty
  -i, --no-input           do not read standard input
  -s, --no-signals         signals end rsh and are not passed on
      --status             exit with the command's exit status
  -d, --trace              show each step (never the password)
  -V, --version   -h, --help

Exit status without --status: 0 done, 1 refused by the server, 255 no connection or
a broken one, 128+n rsh received signal n. Without a password, the host must trust
this one, and rsh needs root or cap_net_bind_service. More in rsh(1).
`

// options are the command line.
type options struct {
	host, command, user, password string
	hasPassword                   bool // an empty one too
	network                       string
	port                          int // 0: rsh's
	noStderr, noInput, nullInput  bool
	noSignals, status, trace      bool
	version, help                 bool
}

// flags are the options that take no value.
func (o *options) flags() []struct {
	letter byte
	name   string
	set    *bool
} {
	return []struct {
		letter byte
		name   string
		set    *bool
	}{
		{'a', "no-stderr", &o.noStderr}, {'d', "trace", &o.trace}, {'h', "help", &o.help}, {'i', "no-input", &o.noInput},
		{'n', "null-input", &o.nullInput}, {'s', "no-signals", &o.noSignals}, {0, "status", &o.status}, {'V', "version", &o.version},
	}
}

// find finds an option.
func (o *options) find(letter byte, name string) (set func(string) error, takesValue, ok bool) {
	is := func(l byte, n string) bool { return letter != 0 && letter == l || letter == 0 && name == n }
	for _, f := range o.flags() {
		if is(f.letter, f.name) {
			return func(string) error { *f.set = true; return nil }, false, true
		}
	}
	switch {
	case is('4', "ipv4"):
		return func(string) error { o.network = "tcp4"; return nil }, false, true
	case is('6', "ipv6"):
		return func(string) error { o.network = "tcp6"; return nil }, false, true
	case is('l', "user"):
		return o.setUser, true, true
	case is('p', "port"):
		return o.setPort, true, true
	}
	return nil, false, false
}

func (o *options) setUser(value string) error {
	user, password, found := strings.Cut(value, "/")
	o.user, o.password, o.hasPassword = strings.Clone(user), strings.Clone(password), found
	job.Blank(password)
	return nil
}

func (o *options) setPort(value string) error {
	port, err := strconv.ParseUint(value, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%q is not a port: 1 to 65535", value)
	}
	o.port = int(port)
	return nil
}

// parseArgs reads options, the host, more options, and the command, whose words are
// joined by single spaces: the remote shell splits them again.
func parseArgs(argv []string) (options, error) {
	var o options
	rest, err := job.ParseOptions(argv[min(1, len(argv)):], o.find)
	if err != nil || o.help || o.version {
		return o, err
	}
	if len(rest) == 0 {
		return o, errors.New("no host given: rsh [options] host command [arg...]")
	}
	o.host = rest[0]
	if user, host, found := strings.Cut(o.host, "@"); found {
		return o, fmt.Errorf("%q is not a host: give the user with -l: rsh -l %s %s command", o.host, user, host)
	}
	rest, err = job.ParseOptions(rest[1:], o.find)
	if err != nil || o.help || o.version {
		return o, err
	}
	if o.noInput && o.nullInput {
		return o, errors.New("-i and -n: the command's input is left open by one and ended by the other")
	}
	if o.command = strings.Join(rest, " "); o.command == "" {
		return o, errors.New("no command given: rsh host command [arg...]; rlogin, to which other rsh turn here, is not part of this one: use ssh(1)")
	}
	return o, nil
}
