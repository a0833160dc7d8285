package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

const usage = `usage: in.rexecd [-mn] [-config file]            started by inetd, xinetd or systemd
       in.rexecd -standby n [-listen [addr]:port] [-max n] [-max-per-source n]
                                                 keeps n processes ready on a listening socket
       in.rexecd -debug [-listen [addr]:port] [-max n] [-max-per-source n]
                                                 accepts connections itself, logs here
       in.rexecd -check [-config file]           looks at what must be in place
       in.rexecd -install | -remove              starts or ends the service on this host
       in.rexecd -penalties [clear [address ...]]
                                                 lists the sources that have failed lately, or forgets them
       in.rexecd -version

  -m            shut the connections down when the command itself ends
  -n            no TCP keepalive
  -config file  settings other than /etc/rexecd.toml
  -c -D -s -S   accepted for compatibility; no name of a peer is ever looked up

See in.rexecd(8) and rexecd.toml(5).
`

// options are the flags.
type options struct {
	closeOnExit, noKeepAlive      bool
	debug, check, install, remove bool
	version, help                 bool
	penalties                     bool
	listen, config                string
	standby, max, perSource       int
	place                         int      // internal: started by -standby, with so many sockets
	refuse                        bool     // internal: started by the supervisor for one connection too many
	args                          []string // behind -penalties
}

func parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("in.rexecd", flag.ContinueOnError)
	f.SetOutput(io.Discard) // descriptor 2 may be the peer
	f.BoolVar(&o.closeOnExit, "m", false, "")
	f.BoolVar(&o.noKeepAlive, "n", false, "")
	for _, name := range []string{"c", "D", "s", "S"} {
		f.Bool(name, false, "") // AIX, Fedora, HP-UX: about looking peers' names up
	}
	f.BoolVar(&o.debug, "debug", false, "")
	f.BoolVar(&o.check, "check", false, "")
	f.BoolVar(&o.install, "install", false, "")
	f.BoolVar(&o.remove, "remove", false, "")
	f.BoolVar(&o.penalties, "penalties", false, "")
	f.BoolVar(&o.version, "version", false, "")
	f.StringVar(&o.listen, "listen", "", "")
	f.IntVar(&o.standby, "standby", 0, "")
	f.IntVar(&o.max, "max", 0, "")
	f.IntVar(&o.perSource, "max-per-source", 0, "")
	f.IntVar(&o.place, "place", 0, "")
	f.BoolVar(&o.refuse, "refuse", false, "")
	f.StringVar(&o.config, "config", "", "")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		o.help = true
		return o, nil
	case err != nil:
		return o, err
	case o.penalties:
		o.args = f.Args()
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.standby < 0 || o.standby > 1000 || o.max < 0 || o.perSource < 0 || o.place < 0:
		return o, errors.New("-standby takes a number from 1 to 1000, -max and -max-per-source a number from 0, for none")
	case (o.listen != "" || o.max > 0 || o.perSource > 0) && !o.debug && o.standby == 0:
		return o, errors.New("-listen, -max and -max-per-source go with -standby or -debug")
	}
	return o, nil
}
