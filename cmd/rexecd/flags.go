package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

const usage = `usage: rexecd -install | -remove [rsh]       starts or ends the service on this host
       rexecd -install tls                   starts the service for clients with TLS, on a port of its own
       rexecd -check [-json] [-config file] [rsh]
                                             checks what must be in place, or that settings file alone
       rexecd -check -effective [-json] [-config file]
                                             lists the settings in force, and where each was given
       rexecd -debug [-listen [addr]:port] [-max n]
              [-max-per-source n] [-m] [-n] [-S] [-tls] [-config file] [rsh]
                                             accepts connections itself, logs here
       rexecd -standby n [-listen [addr]:port] [-max n]
              [-max-per-source n] [-m] [-n] [-S] [-tls] [-config file] [rsh]
                                             keeps n processes ready on a listening socket
       rexecd -penalties [-config file] [clear [address ...]]
                                             lists the sources that failed lately, or clears them
       rexecd -explain [-config file] [-certificate name] [rsh] user address[,address] command
                                             what the rules make of a request
       rexecd -report [-since time] [-until time] [-user name] [-from network]
              [-file log ...] [-sort column] [-rows n]
              [-json | -html file | -openmetrics] [-output file]
                                             who uses the service, by its log
       rexecd -version

  -m            shut a connection down when its command itself ends
  -n            no TCP keepalive
  -S            refuse root, whatever the settings say
  -tls          TLS on both connections
  -config file  settings other than /etc/rexecd.toml

With "rsh" it is the service of in.rshd(8), port 514; by default that of in.rexecd(8), 512. See rexecd(8) and rexecd.toml(5).
`

// options are the flags.
type options struct {
	install, remove, check, debug, penalties, explain, version, help bool
	effective, json                                                  bool // with -check; json with -report, too
	standby                                                          int
	listen                                                           string
	max, perSource                                                   int
	closeOnExit, noKeepAlive, noRoot, tls                            bool
	config, service, certificate                                     string
	report                                                           reportOptions
	args                                                             []string // after -penalties, -explain and -install
}

// served are the flags of in.rexecd, those of other systems' inetd.conf included.
var served = []string{"m", "n", "config", "c", "D", "s", "S", "tls"}

// ofCheck are flags of -check alone.
var ofCheck = []string{"effective", "json"}

// verbs are what this program can be asked for, the first that is given ruling,
// and the flags that go with each; the last is a connection to serve.
var verbs = []struct {
	name string
	with []string
}{
	{"install", nil},
	{"remove", nil},
	{"version", nil},
	{"check", append([]string{"config"}, ofCheck...)},
	{"penalties", []string{"config"}},
	{"explain", []string{"certificate", "config"}},
	{"report", append([]string{"json"}, ofReport...)},
	{"standby", append([]string{"debug", "listen", "max", "max-per-source"}, served...)},
	{"debug", append([]string{"listen", "max", "max-per-source"}, served...)},
	{"", served},
}

func parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("rexecd", flag.ContinueOnError)
	f.SetOutput(io.Discard) // descriptor 2 may be the peer
	f.BoolVar(&o.install, "install", false, "")
	f.BoolVar(&o.remove, "remove", false, "")
	f.BoolVar(&o.check, "check", false, "")
	f.BoolVar(&o.effective, "effective", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.debug, "debug", false, "")
	f.BoolVar(&o.penalties, "penalties", false, "")
	f.BoolVar(&o.explain, "explain", false, "")
	f.BoolVar(&o.version, "version", false, "")
	f.IntVar(&o.standby, "standby", 0, "")
	f.StringVar(&o.listen, "listen", "", "")
	f.IntVar(&o.max, "max", 0, "")
	f.IntVar(&o.perSource, "max-per-source", 0, "")
	f.BoolVar(&o.closeOnExit, "m", false, "")
	f.BoolVar(&o.noKeepAlive, "n", false, "")
	f.BoolVar(&o.noRoot, "S", false, "")
	f.BoolVar(&o.tls, "tls", false, "")
	defineIgnored(f)
	f.StringVar(&o.config, "config", "", "")
	f.StringVar(&o.certificate, "certificate", "", "")
	o.report.define(f)
	err := f.Parse(args)
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = g.Value.String() != "false" })
	o.takeArgs(f.Args())
	switch {
	case errors.Is(err, flag.ErrHelp):
		return options{help: true}, nil
	case err != nil:
		return o, err
	case o.explain && len(o.args) != 3:
		return o, errors.New("-explain takes a user, the client's address and a command, the last in quotes")
	case o.tls && f.NArg() == 1 && f.Arg(0) == "rsh":
		return o, errors.New("-tls is rexec's: rsh's clients speak no TLS")
	case f.NArg() == 1 && f.Arg(0) == "rsh" && (o.install || o.remove || o.check || o.debug || o.standby > 0):
		o.service = f.Arg(0)
	case o.install && f.NArg() == 1 && f.Arg(0) == "tls":
	case f.NArg() > 0 && !o.penalties && !o.explain:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.penalties && f.NArg() > 0 && f.Arg(0) != "clear":
		return o, fmt.Errorf("unexpected argument %q: rexecd -penalties lists, rexecd -penalties clear [address ...] forgets", f.Arg(0))
	case given["standby"] && (o.standby < 1 || o.standby > 1000):
		return o, fmt.Errorf("-standby %d: it takes a number from 1 to 1000", o.standby)
	case o.max < 0 || o.perSource < 0:
		return o, errors.New("-max and -max-per-source take a number from 1, or 0 for no limit")
	}
	if !o.report.asked {
		o.report = reportOptions{} // without its defaults
	}
	return o, contradiction(given)
}

// takeArgs takes the arguments of those that have any.
func (o *options) takeArgs(args []string) {
	if o.penalties || o.explain || o.install && len(args) == 1 && args[0] == "tls" {
		o.args = args
	}
	if o.explain && len(args) == 4 && args[0] == "rsh" { // with three, it is a user's name
		o.service, o.args = args[0], args[1:]
	}
}

// defineIgnored defines the flags that are of no consequence here.
func defineIgnored(f *flag.FlagSet) {
	names := []string{"c", "D", "s"} // as in.rexecd takes them
	if service == "rsh" {
		names = append(names, "a", "h", "L", "l", "r") // as in.rshd does
	}
	for _, name := range names {
		f.Bool(name, false, "")
	}
}

// contradiction names two flags that do not go together.
func contradiction(given map[string]bool) error {
	for _, verb := range verbs {
		if verb.name != "" && !given[verb.name] {
			continue
		}
		var others []string
		for name, on := range given {
			if on && name != verb.name && !slices.Contains(verb.with, name) {
				others = append(others, "-"+name)
			}
		}
		slices.Sort(others)
		switch {
		case others == nil:
			return nil
		case verb.name == "" && others[0] == "-json":
			return fmt.Errorf("%s: only with -check or -report", others[0])
		case verb.name == "" && slices.Contains(ofCheck, others[0][1:]):
			return fmt.Errorf("%s: only with -check", others[0])
		case verb.name == "" && slices.Contains(ofReport, others[0][1:]):
			return fmt.Errorf("%s: only with -report", others[0])
		case verb.name == "":
			return fmt.Errorf("%s: only with -standby or -debug", strings.Join(others, " and "))
		}
		return fmt.Errorf("-%s does not go with %s", verb.name, strings.Join(others, ", "))
	}
	return nil
}

// verb reports whether something is asked for that is not serving the connection
// on descriptor 0: -debug alone only says where to log, as -listen does not.
func (o options) verb() bool {
	return o.help || o.version || o.install || o.remove || o.check || o.penalties || o.explain || o.report.asked || o.listen != ""
}

// handlerArgs are the arguments of a process that serves one connection.
func (o options) handlerArgs() []string {
	argv := []string{handlerName}
	if o.closeOnExit {
		argv = append(argv, "-m")
	}
	if o.noKeepAlive {
		argv = append(argv, "-n")
	}
	if o.noRoot {
		argv = append(argv, "-S")
	}
	if o.tls {
		argv = append(argv, "-tls")
	}
	if o.config != "" {
		argv = append(argv, "-config", o.config)
	}
	if o.debug {
		argv = append(argv, "-console")
	}
	return argv
}
