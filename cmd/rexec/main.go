// Command rexec runs a command on a host that runs rexecd(8): see rexec(1).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

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
		blank(arg)
	}
	opts.settingsFile = settingsFile
	set, err := settings.ReadClient(settingsFile)
	if err != nil {
		return complain(err)
	}
	opts.complete(set)
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
	ctx := context.Background()
	if opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.timeout)
		defer cancel()
		// Last of all, when nobody reads the message about it either.
		time.AfterFunc(opts.timeout+2*time.Second, func() { os.Exit(exitFailed) })
	}
	client := opts.client(who)
	command := opts.command
	if opts.status {
		command = wrap(command)
	}
	session := client.Command(ctx, command)
	session.KeepOpen = opts.keepInputOpen
	session.Stdin, session.Stdout, session.Stderr = opts.input(), os.Stdout, os.Stderr
	marker := newMarker()
	stdout := &filter{marker: marker, out: os.Stdout, off: session.HasStderr}
	stderr := &filter{marker: marker, out: os.Stderr}
	if opts.status {
		session.Head, session.Stdout, session.Stderr = []byte(marker.script()), stdout, stderr
	}
	relay := relaySignals(opts, session)
	if err := session.Start(); err != nil {
		return report(ctx, opts, err)
	}
	err := wait(ctx, session)
	relay.stop()
	err = errors.Join(err, stdout.flush(), stderr.flush())
	if !stderr.found { // there was one connection
		stderr = stdout
	}
	return conclude(ctx, opts, err, relay, stderr)
}

// wait waits for the session, but not past the time limit for whoever reads
// rexec's output and has stopped doing so.
func wait(ctx context.Context, session *rexec.Session) error {
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Second):
		return ctx.Err()
	}
}

// conclude finds the exit status of a command that was started.
func conclude(ctx context.Context, opts *options, err error, relay *relay, end *filter) int {
	signal := relay.fatal()
	switch {
	// what it left behind was cut off, not its own output
	case end.found && (err == nil || errors.Is(err, context.DeadlineExceeded)):
		return end.status
	case err != nil:
		status := report(ctx, opts, err)
		if endedHere(err) {
			leftRunning(opts)
		}
		return status
	case signal != 0:
		return 128 + signal
	case opts.status:
		return complain(fmt.Errorf("%s: no exit status came back: the connection ended early, the command's shell was killed, or the host has no POSIX shell%s", opts.host, mixedIn(opts)))
	}
	return 0
}

// mixedIn is one more reason why a status can be missing.
func mixedIn(opts *options) string {
	if opts.stderr == rexec.StderrYes {
		return ""
	}
	return "; with one connection (-a), a server that discards standard error loses the status too"
}

// endedHere reports whether the session ended before its command is known to
// have.
func endedHere(err error) bool {
	_, lost := as[*rexec.ProtocolError](err)
	return lost || errors.Is(err, context.DeadlineExceeded)
}

// leftRunning warns of what servers do when the client goes.
func leftRunning(opts *options) {
	fmt.Fprintf(os.Stderr, "rexec: %s: the command may have been left running\n", opts.host)
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
	if st, err := os.Stdin.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
		return terminalInput{os.Stdin}
	}
	return os.Stdin
}

// A terminal that its shell has left gives EIO to what was in the background:
// the end of the input, and no loss.
type terminalInput struct{ io.Reader }

func (t terminalInput) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return n, err
}

func (o *options) client(who credentials) *rexec.Client {
	client := &rexec.Client{
		Host: o.host, Port: o.port, Network: o.network,
		User: who.user, Password: who.password,
		Timeout: o.connectTimeout,
		Stderr:  o.stderr, StderrPorts: o.stderrPorts, StderrFrom: o.stderrFrom, StderrTimeout: o.stderrTimeout,
		Quirks: o.quirks,
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
