// Package job is one command on a host as rexec(1) and rsh(1) run it: what goes in and
// comes out, signals, and the exit status of either program.
package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"rexecd/pkg/rexec"
)

// A Job is one command, and how to run it.
type Job struct {
	Program string // that runs it, for its messages
	Host    string
	Client  *rexec.Client
	Command string
	Started func() // called once the command runs; nil: nothing

	Input    io.Reader // what the command reads; nil: nothing
	KeepOpen bool      // the input's end is not sent
	Timeout  time.Duration

	Status   bool   // exit with the command's exit status
	NoStatus string // one more reason why it can be missing
	Failed   int    // the exit status of a run that has none

	NoSignals  bool // signals end the program here
	RshSignals bool // only those that BSD's rsh passes on
	BSDSignals bool // in BSD's numbers

	// Report tells the person of an error, and returns the exit status.
	Report func(ctx context.Context, err error) int
}

// Run runs the command and gives the program's own exit status.
func (j *Job) Run() int {
	ctx := context.Background()
	if j.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, j.Timeout)
		defer cancel()
		// Last of all, when nobody reads the message about it either.
		time.AfterFunc(j.Timeout+2*time.Second, func() { os.Exit(j.Failed) })
	}
	command := j.Command
	if j.Status {
		command = wrap(command)
	}
	session := j.Client.Command(ctx, command)
	session.KeepOpen = j.KeepOpen
	session.Stdin, session.Stdout, session.Stderr = j.Input, os.Stdout, os.Stderr
	marker := newMarker()
	stdout := &filter{marker: marker, out: os.Stdout, off: session.HasStderr}
	stderr := &filter{marker: marker, out: os.Stderr}
	if j.Status {
		session.Head, session.Stdout, session.Stderr = []byte(marker.script()), stdout, stderr
	}
	relay := relaySignals(j, session)
	if err := session.Start(); err != nil {
		return j.Report(ctx, err)
	}
	if j.Started != nil {
		j.Started()
	}
	err := wait(ctx, session)
	relay.stop()
	err = errors.Join(err, stdout.flush(), stderr.flush())
	if !stderr.found { // there was one connection
		stderr = stdout
	}
	return j.conclude(ctx, err, relay, stderr)
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
func (j *Job) conclude(ctx context.Context, err error, relay *relay, end *filter) int {
	signal := relay.fatal()
	switch {
	// what it left behind was cut off, not its own output
	case end.found && (err == nil || errors.Is(err, context.DeadlineExceeded)):
		return end.status
	case err != nil:
		status := j.Report(ctx, err)
		if endedHere(err) {
			j.leftRunning()
		}
		return status
	case signal != 0:
		return 128 + signal
	case j.Status:
		fmt.Fprintf(os.Stderr, "%s: %s: no exit status came back: the connection ended early, the command's shell was killed, or the host has no POSIX shell%s\n", j.Program, j.Host, j.NoStatus)
		return j.Failed
	}
	return 0
}

// endedHere reports whether the session ended before its command is known to
// have.
func endedHere(err error) bool {
	var lost *rexec.ProtocolError
	return errors.As(err, &lost) || errors.Is(err, context.DeadlineExceeded)
}

// leftRunning warns of what servers do when the client goes.
func (j *Job) leftRunning() {
	fmt.Fprintf(os.Stderr, "%s: %s: the command may have been left running\n", j.Program, j.Host)
}

// StandardInput is what a command reads where nothing else is asked for.
func StandardInput() io.Reader {
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
