package handler

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"rexecd/pkg/inetd"
)

// options are the flags.
type options struct {
	closeOnExit, noKeepAlive, noRoot, noTrust bool
	tls                                       bool
	config                                    string
	version, help                             bool

	// Internal: rexecd passes these to the processes that it starts.
	console     bool   // log on standard error, for rexecd -debug
	stderr      bool   // log there on a host without a system log, for rexecd -standby
	listeners   int    // accept a connection of so many inherited listening sockets; -zygote N: preinit/zygote.c
	single      bool   // let in the user of descriptor singleFd only
	refuse      bool   // refuse the connection, which exceeds its source's limit
	explain     bool   // say what the rules make of a request, for rexecd -explain
	certificate string // of whoever -explain is about
	record      bool   // record what descriptor 0 says, for a process whose time was over
	args        [3]string
}

func (p *Program) parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // descriptor 2 may be the peer
	f.BoolVar(&o.closeOnExit, "m", false, "")
	f.BoolVar(&o.noKeepAlive, "n", false, "")
	f.BoolVar(&o.noRoot, "S", false, "") // HP-UX
	for _, name := range p.Ignored {
		f.Bool(name, false, "")
	}
	if p.TrustFlag {
		f.BoolVar(&o.noTrust, "l", false, "")
	}
	if p.TLSFlag {
		f.BoolVar(&o.tls, "tls", false, "")
	}
	f.StringVar(&o.config, "config", "", "")
	f.BoolVar(&o.version, "version", false, "")
	f.BoolVar(&o.console, "console", false, "")
	f.BoolVar(&o.stderr, "stderr", false, "")
	f.IntVar(&o.listeners, "worker", 0, "")
	f.BoolVar(&o.single, "single", false, "")
	f.BoolVar(&o.refuse, "refuse", false, "")
	f.BoolVar(&o.explain, "explain", false, "")
	f.BoolVar(&o.record, "record", false, "")
	f.StringVar(&o.certificate, "certificate", "", "")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return options{help: true}, nil
	case err != nil:
		return o, p.misplaced(err)
	case o.certificate != "" && !o.explain:
		return o, errors.New("-certificate is for rexecd -explain, and never for a connection")
	case o.explain && f.NArg() == 3 && !inetd.Handed():
		o.args = [3]string(f.Args())
	case o.explain:
		return o, errors.New("-explain is for rexecd -explain, and never for a connection")
	case o.record && inetd.Handed():
		return o, errors.New("-record is for the program itself, and never for a connection")
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.listeners < 0:
		return o, errors.New("-worker takes the number of listening sockets")
	}
	return o, nil
}

// misplaced explains a flag that the other program takes.
func (p *Program) misplaced(err error) error {
	name, undefined := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	administration := []string{"check", "debug", "effective", "install", "json", "listen", "max", "max-per-source", "penalties",
		"remove", "report", "standby"}
	if undefined && slices.Contains(administration, name) {
		return fmt.Errorf("%s serves one connection; use rexecd -%s", p.Name, name)
	}
	return err
}
