package audit

import (
	"cmp"
	"strconv"
	"strings"
)

// A field is one of a record in the journal.
type field struct{ name, value string }

// fields are the record's own.
func (e *Event) fields() []field {
	k := kinds[e.Kind]
	f := append(common(e.program, e.unit), field{"MESSAGE_ID", k.id}, field{"REXEC_OUTCOME", k.outcome})
	if e.Session != "" {
		f = append(f, field{"REXEC_SESSION_ID", e.Session})
	}
	if e.User != "" {
		f = append(f, field{"REXEC_USER", e.User})
	}
	if e.Account != "" {
		f = append(f, field{"REXEC_ACCOUNT", e.Account})
	}
	if e.Client != "" {
		f = append(f, field{"REXEC_CLIENT_USER", e.Client})
	}
	if e.Peer.IsValid() {
		f = append(f, field{"REXEC_PEER", e.Peer.Addr().String()}, field{"REXEC_PEER_PORT", strconv.Itoa(int(e.Peer.Port()))})
	}
	if e.Proxy.IsValid() {
		f = append(f, field{"REXEC_PROXY", e.Proxy.String()})
	}
	if e.Reason != nil {
		f = append(f, field{"REXEC_REASON", e.Reason.Error()})
	}
	if e.Rule != "" {
		f = append(f, field{"REXEC_RULE", e.Rule})
	}
	if e.Certificate != "" {
		f = append(f, field{"REXEC_CERTIFICATE", e.Certificate})
	}
	if e.Command != "" {
		f = append(f, field{"REXEC_COMMAND", e.Command})
	}
	if e.Kind == Closed || e.Kind == Trace {
		f = append(f, field{"REXEC_DURATION_USEC", strconv.FormatInt(e.Duration.Microseconds(), 10)})
	}
	if e.Kind == Closed {
		f = append(f, field{"REXEC_STATUS", strings.TrimPrefix(e.status(), "exit status ")})
		if e.CPU > 0 || e.Peak > 0 {
			f = append(f, field{"REXEC_CPU_USEC", strconv.FormatInt(e.CPU.Microseconds(), 10)})
		}
		if e.Peak > 0 {
			f = append(f, field{"REXEC_PEAK_BYTES", strconv.FormatInt(e.Peak, 10)})
		}
	}
	return f
}

// common are the fields of whatever this process logs.
func common(program, unit string) []field {
	f := append(make([]field, 0, 20), field{"SYSLOG_IDENTIFIER", cmp.Or(program, identifier)}, field{"SYSLOG_FACILITY", "10"})
	if unit != "" {
		// journalctl -u finds records by it. Where pam_systemd has moved this process
		// into the session's scope, _SYSTEMD_UNIT is that one.
		f = append(f, field{"OBJECT_SYSTEMD_UNIT", unit})
	}
	return f
}
