package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"rexecd/pkg/rexec"
)

// report prints what went wrong in words that help, and returns the exit status.
func report(ctx context.Context, opts *options, err error) int {
	status := exitFailed
	if _, ok := as[*rexec.RefusedError](err); ok && !opts.status {
		status = exitRefused
	}
	text, hint := explain(ctx, opts, err)
	fmt.Fprintf(os.Stderr, "rexec: %s: %s\n", opts.host, text)
	if hint != "" {
		fmt.Fprintf(os.Stderr, "rexec: %s\n", hint)
	}
	return status
}

const hintFirewall = "a firewall or address translation may be in the way of the stderr connection: -a does without it, --stderr-port chooses its port"

// explain describes what went wrong, and what can be done about it where there is
// something. The caller prints the host's name.
func explain(ctx context.Context, opts *options, err error) (text, hint string) {
	dial, hasDial := as[*rexec.DialError](err)
	if text, hint := explainTLS(opts, err); text != "" {
		return text, hint
	}
	if refused, ok := as[*rexec.RefusedError](err); ok {
		return explainRefusal(refused, dial)
	}
	if banner, ok := as[*rexec.BannerError](err); ok {
		line := rexec.Printable(banner.Line[:min(len(banner.Line), 200)])
		if banner.OtherProtocol() {
			return fmt.Sprintf("not a rexec server: it began with \"%s\"", line), ""
		}
		return fmt.Sprintf("the server sent no status byte, but began with \"%s\"", line), "it is not a rexec server, or sends no status byte (-q no-status)"
	}
	switch {
	case hasDial && dial.Stderr && len(dial.Strangers) > 0:
		return fromElsewhere(dial), ""
	case hasDial && dial.Stderr && errors.Is(err, rexec.ErrNotInTime):
		return "stderr connection: the server did not connect in time", hintFirewall
	case hasDial && dial.Stderr:
		return fmt.Sprintf("cannot listen for the stderr connection on %s: %s", listened(opts, dial), rexec.Cause(err)), ""
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return timedOut(ctx, opts, err), ""
	case hasDial && dial.Port == 0:
		return rexec.Cause(err), ""
	case hasDial:
		return fmt.Sprintf("cannot connect to port %d: %s", dial.Port, rexec.Cause(err)), ""
	}
	if protocol, ok := as[*rexec.ProtocolError](err); ok {
		return fmt.Sprintf("%s: %s", protocol.Doing, rexec.Cause(protocol.Err)), ""
	}
	return err.Error(), ""
}

// explainRefusal shows the server's own words. Only a server that says it could
// not connect has met a firewall.
func explainRefusal(refused *rexec.RefusedError, dial *rexec.DialError) (text, hint string) {
	text = rexec.Printable(refused.Reason())
	switch {
	case text != "" && refused.CannotConnect() && dial != nil:
		return text, hintFirewall
	case text != "" && dial != nil:
		return text, "-a does without the stderr connection"
	case text != "":
		return text, ""
	case dial != nil && len(dial.Strangers) > 0:
		return fromElsewhere(dial), ""
	case dial != nil:
		return "the server closed the connection instead of connecting for standard error", "it may not be able to connect (-a does without), or not serve this host"
	}
	return "the server closed the connection without a word (some do when they refuse a login)", ""
}

// fromElsewhere names who connected in the server's place. It may have been
// anybody, so the option is left to whoever knows the address.
func fromElsewhere(dial *rexec.DialError) string {
	var all []string
	for _, addr := range dial.Strangers {
		all = append(all, addr.String())
	}
	from := strings.Join(all, ",")
	return fmt.Sprintf("the stderr connection came from %s, not from the host's address: if that is the server, use --stderr-from %s; -a does without", strings.ReplaceAll(from, ",", " and "), from)
}

func listened(opts *options, dial *rexec.DialError) string {
	switch ports := opts.stderrPorts; {
	case ports.First == 0:
		return dial.Addr
	case ports.First == ports.Last:
		return fmt.Sprintf("%s port %d", dial.Addr, ports.First)
	default:
		return fmt.Sprintf("%s ports %d to %d", dial.Addr, ports.First, ports.Last)
	}
}

// timedOut names the limit that was exceeded.
func timedOut(ctx context.Context, opts *options, err error) string {
	var dial *rexec.DialError
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("the command did not end within %v (-T): connection closed", opts.timeout)
	case errors.As(err, &dial):
		return fmt.Sprintf("port %d did not answer within %v (-t)", dial.Port, opts.connectLimit())
	}
	return fmt.Sprintf("connected, but the server did not start the command within %v (-t): it may make its stderr connection later (-q late-stderr), or send no status byte (-q no-status)", opts.connectLimit())
}

// as is errors.AsType, which Go 1.24 does not have.
func as[E error](err error) (found E, ok bool) {
	ok = errors.As(err, &found)
	return found, ok
}
