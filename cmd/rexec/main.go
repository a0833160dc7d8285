// Command rexec runs a command on a host that runs rexecd(8): see rexec(1).
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"rexecd/cmd/rexec/job"
	"rexecd/pkg/rexec"
	"rexecd/pkg/settings"
)

// version is set by the linker.
var version = "devel"

// Exit statuses. ssh(1) uses 255 in the same way, so that 1 to 254 remain for
// the command under --status.
const (
	exitRefused = 1
	exitFailed  = 255
)

func main() {
	os.Exit(run(os.Args, settingsFile))
}

// run is main with a settings file; only tests name another one.
func run(argv []string, settingsFile string) int {
	opts, err := parseArgs(argv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "rexec: %v\nrexec --help shows the options\n", err)
		return exitFailed
	}
	switch {
	case opts.help:
		fmt.Print(usage)
		return 0
	case opts.version:
		fmt.Printf("rexec %s\n", version)
		return 0
	}
	for _, arg := range opts.passwordArgs {
		job.Blank(arg)
	}
	opts.settingsFile = settingsFile
	set, err := settings.ReadClient(settingsFile)
	if err != nil {
		return complain(err)
	}
	opts.complete(set)
	if err := opts.completeTLS(set); err != nil {
		return complain(err)
	}
	who, err := findCredentials(&opts, set)
	if err != nil {
		return complain(err)
	}
	return execute(&opts, who)
}

// complain reports an error of rexec itself.
func complain(err error) int {
	fmt.Fprintf(os.Stderr, "rexec: %v\n", err)
	return exitFailed
}

// execute runs the command on the host and gives rexec's own exit status.
func execute(opts *options, who credentials) int {
	j := &job.Job{
		Program: "rexec", Host: opts.host, Client: opts.client(who), Command: opts.command,
		Status: opts.status, Timeout: opts.timeout, KeepOpen: opts.keepInputOpen, Input: opts.input(),
		NoSignals: opts.noSignals, RshSignals: opts.rshSignals, BSDSignals: opts.bsdSignals,
		Failed: exitFailed,
	}
	j.Report = func(ctx context.Context, err error) int { return report(ctx, opts, err) }
	if opts.stderr != rexec.StderrYes {
		j.NoStatus = "; with one connection (-a), a server that discards standard error loses the status too"
	}
	return j.Run()
}

// input is what the command reads.
func (o *options) input() io.Reader {
	switch {
	case o.nullInput:
		return nil
	case o.noInput:
		r, _ := io.Pipe() // never a byte, never the end
		return r
	}
	return job.StandardInput()
}

func (o *options) client(who credentials) *rexec.Client {
	client := &rexec.Client{
		Host: o.host, Port: o.port, Network: o.network,
		User: who.user, Password: who.password,
		Timeout: o.connectTimeout,
		Stderr:  o.stderr, StderrPorts: o.stderrPorts, StderrFrom: o.stderrFrom, StderrTimeout: o.stderrTimeout,
		Quirks: o.quirks, TLS: o.tlsConfig,
	}
	if o.trace {
		begin := time.Now()
		fmt.Fprintf(os.Stderr, "rexec: user %q from %s, password from %s\n", who.user, who.userFrom, who.passwordFrom)
		client.Trace = func(step string) {
			fmt.Fprintf(os.Stderr, "rexec: %8.3f ms  %s\n", float64(time.Since(begin).Microseconds())/1000, step)
		}
	}
	return client
}
