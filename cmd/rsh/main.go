// Command rsh runs a command on a host that runs in.rshd(8), or any other server of
// rcmd(3)'s protocol: see rsh(1).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"rexecd/cmd/rexec/job"
	"rexecd/pkg/rexec"
	"rexecd/pkg/rexec/wire"
)

// version is set by the linker.
var version = "devel"

// Exit statuses, as rexec's.
const (
	exitRefused = 1
	exitFailed  = 255
)

func main() {
	right := takeRight() // before anything that the caller has a say in
	os.Exit(run(right))
}

func run(right *right) int {
	opts, err := parseArgs(os.Args)
	if err != nil {
		return complain(err)
	}
	switch {
	case opts.help:
		fmt.Print(usage)
		return 0
	case opts.version:
		fmt.Println("rsh", version)
		return 0
	}
	if password := os.Getenv("REXEC_PASS"); password != "" && !opts.hasPassword {
		opts.password, opts.hasPassword = password, true
	}
	me, err := name("/etc/passwd")
	if opts.user == "" {
		opts.user = me
	}
	// Whatever listens on another port than rsh's is not for a user to be let talk to from
	// a port that is taken for root's.
	reserved := right.has && (right.own || opts.port == 0 || opts.port == wire.ShellPort)
	if err != nil && !opts.hasPassword {
		return complain(err)
	}
	reserved = reserved && err == nil
	if !reserved && !opts.hasPassword {
		return complain(errors.New("a host that is to trust this one needs a connection from a reserved port: " +
			right.missing(opts.port) + "; or give a password: rsh -l user/password host command, or REXEC_PASS"))
	}
	if !reserved {
		right.drop()
	}
	return execute(&opts, me, reserved, right)
}

// name is the invoking user's own, which servers believe: of the password file alone,
// never of the environment.
func name(passwd string) (string, error) {
	uid := strconv.Itoa(os.Getuid())
	// Not package os/user: for an ID that is not in the file, it takes $USER.
	text, err := os.ReadFile(passwd)
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(line, ":")
		if len(fields) == 7 && fields[2] == uid && fields[0] != "" && !strings.ContainsAny(line[:1], "+-") {
			return fields[0], nil
		}
	}
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("no user in %s has the ID %s: give a password (-l user/password)", passwd, uid)
}

// complain reports an error of rsh itself.
func complain(err error) int {
	fmt.Fprintf(os.Stderr, "rsh: %v\n", err)
	return exitFailed
}

// execute runs the command on the host and gives rsh's own exit status.
func execute(o *options, me string, reserved bool, right *right) int {
	client := &rexec.Client{
		Host: o.host, Port: o.port, Network: o.network, User: o.user, Password: o.password,
		Rsh: &rexec.Rsh{ClientUser: me, Password: o.hasPassword, Reserved: reserved},
	}
	if o.noStderr {
		client.Stderr = rexec.StderrNo
	}
	if o.trace {
		begin := time.Now()
		client.Trace = func(step string) {
			fmt.Fprintf(os.Stderr, "rsh: %8.3f ms  %s\n", float64(time.Since(begin).Microseconds())/1000, step)
		}
	}
	j := &job.Job{
		Program: "rsh", Host: o.host, Client: client, Command: o.command, Started: right.drop,
		Status: o.status, NoSignals: o.noSignals, Failed: exitFailed,
	}
	switch {
	case o.nullInput:
	case o.noInput:
		j.Input, _ = io.Pipe() // never a byte, never the end
	default:
		j.Input = job.StandardInput()
	}
	if o.noStderr {
		j.NoStatus = "; with one connection (-a), a server that discards standard error loses the status too"
	}
	j.Report = func(_ context.Context, err error) int { return report(o, reserved, err) }
	return j.Run()
}

// report prints what went wrong, and returns the exit status.
func report(o *options, reserved bool, err error) int {
	var refused *rexec.RefusedError
	var dial *rexec.DialError
	var protocol *rexec.ProtocolError
	status, text := exitFailed, err.Error()
	switch {
	case errors.As(err, &refused):
		if !o.status {
			status = exitRefused
		}
		text = rexec.Printable(strings.TrimSuffix(refused.Reason(), "\n"))
		if text == "" {
			text = "the server closed the connection without a word"
			if !reserved {
				text += ": most rsh servers do so with a client whose port is not reserved"
			}
		}
	case errors.As(err, &dial) && dial.Stderr && len(dial.Strangers) > 0:
		text = fmt.Sprintf("the stderr connection came from %v, not from the host's address (-a does without)", dial.Strangers)
	case errors.As(err, &dial) && dial.Stderr:
		text = "stderr connection: " + rexec.Cause(err) + " (-a does without)"
	case errors.As(err, &dial) && dial.Port != 0:
		text = fmt.Sprintf("cannot connect to port %d: %s", dial.Port, rexec.Cause(err))
	case errors.As(err, &dial):
		text = rexec.Cause(err)
	case errors.As(err, &protocol):
		text = protocol.Doing + ": " + rexec.Cause(protocol.Err)
	}
	fmt.Fprintf(os.Stderr, "rsh: %s: %s\n", o.host, text)
	return status
}
