package report

import (
	"encoding/json"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
)

// Fields are the journal's that are read: what journalctl is asked for with
// --output-fields, besides the cursor and the time.
const Fields = "MESSAGE,REXEC_OUTCOME,REXEC_USER,REXEC_ACCOUNT,REXEC_PEER,REXEC_COMMAND,REXEC_DURATION_USEC,REXEC_STATUS," +
	"REXEC_CPU_USEC,REXEC_PEAK_BYTES,SYSLOG_IDENTIFIER,_UID,_EXE,_TRANSPORT"

// An entry is one line of journalctl -o json.
type entry struct {
	Cursor     value `json:"__CURSOR"`
	Time       value `json:"__REALTIME_TIMESTAMP"`
	Message    value `json:"MESSAGE"`
	Outcome    value `json:"REXEC_OUTCOME"`
	User       value `json:"REXEC_USER"`
	Account    value `json:"REXEC_ACCOUNT"`
	Peer       value `json:"REXEC_PEER"`
	Command    value `json:"REXEC_COMMAND"`
	Duration   value `json:"REXEC_DURATION_USEC"`
	Status     value `json:"REXEC_STATUS"`
	CPU        value `json:"REXEC_CPU_USEC"`
	Peak       value `json:"REXEC_PEAK_BYTES"`
	Identifier value `json:"SYSLOG_IDENTIFIER"`
	UID        value `json:"_UID"`
	Exe        value `json:"_EXE"`
	Transport  value `json:"_TRANSPORT"`
}

// set sets the field of a name.
func (e *entry) set(name string, v value) {
	switch name {
	case "__CURSOR":
		e.Cursor = v
	case "__REALTIME_TIMESTAMP":
		e.Time = v
	case "MESSAGE":
		e.Message = v
	case "REXEC_OUTCOME":
		e.Outcome = v
	case "REXEC_USER":
		e.User = v
	case "REXEC_ACCOUNT":
		e.Account = v
	case "REXEC_PEER":
		e.Peer = v
	case "REXEC_COMMAND":
		e.Command = v
	case "REXEC_DURATION_USEC":
		e.Duration = v
	case "REXEC_STATUS":
		e.Status = v
	case "REXEC_CPU_USEC":
		e.CPU = v
	case "REXEC_PEAK_BYTES":
		e.Peak = v
	case "SYSLOG_IDENTIFIER":
		e.Identifier = v
	case "_UID":
		e.UID = v
	case "_EXE":
		e.Exe = v
	case "_TRANSPORT":
		e.Transport = v
	}
}

// A value is one field. journalctl writes text as a string, other bytes as an
// array of numbers, a field that occurs twice as an array of values, and one of
// more than 4096 bytes as null.
type value string

func (v *value) UnmarshalJSON(b []byte) error {
	*v = ""
	switch {
	case len(b) >= 2 && b[0] == '"':
		if plain := b[1 : len(b)-1]; !strings.ContainsRune(string(plain), '\\') {
			*v = value(plain)
			return nil
		}
		var s string
		err := json.Unmarshal(b, &s)
		*v = value(s)
		return err
	case len(b) >= 2 && b[0] == '[':
		var numbers []uint8AsNumber
		if json.Unmarshal(b, &numbers) == nil {
			text := make([]byte, len(numbers))
			for i, n := range numbers {
				text[i] = byte(n)
			}
			*v = value(text)
			return nil
		}
		var several []value
		if err := json.Unmarshal(b, &several); err != nil || len(several) == 0 {
			return err
		}
		*v = several[0]
	}
	return nil
}

// uint8AsNumber keeps encoding/json from taking the array for base64.
type uint8AsNumber uint16

// identifiers are the names that the servers log under.
var identifiers = []string{"in.rexecd", "in.rshd"}

func isServer(name string) bool { return name == identifiers[0] || name == identifiers[1] }

// servers reports whether the server wrote the entry. Whoever writes to the
// journal chooses the identifier and the message; journald itself adds the fields
// that begin with an underscore. _EXE is missing when the process had ended
// before journald looked.
func (e *entry) servers() bool {
	exe := strings.TrimSuffix(string(e.Exe), " (deleted)") // replaced by an upgrade since
	return e.UID == "0" && (exe == "" || isServer(path.Base(exe))) &&
		(e.Transport == "journal" || e.Transport == "syslog")
}

// record makes a record of the entry: of its fields, or, where the server had to
// use syslog, of its message.
func (e *entry) record(r *record) (decision, ok bool) {
	usec, err := strconv.ParseInt(string(e.Time), 10, 64)
	at := time.UnixMicro(usec)
	if err != nil || !possible(at) {
		return true, false
	}
	if e.Outcome == "" {
		decision, ok = parseMessage(string(e.Message), r)
		r.at = at
		return decision, ok
	}
	var text record
	if e.Command == "" && e.Outcome == "accepted" {
		parseMessage(string(e.Message), &text) // of a long command, its beginning
	}
	*r = record{at: at, kind: outcomes[string(e.Outcome)], user: string(e.User), account: string(e.Account),
		command: string(e.Command)}
	if r.command == "" {
		r.command = text.command
	}
	if r.kind == other {
		return false, false
	}
	if e.Peer != "" {
		if r.peer, err = netip.ParseAddr(string(e.Peer)); err != nil {
			return true, false
		}
		r.peer = r.peer.Unmap()
	}
	if r.kind == closed {
		r.ran, r.timed = micros(e.Duration)
		r.timed = r.timed && e.Status != "command still running"
		r.cpu, _ = micros(e.CPU)
		if r.peak, err = strconv.ParseInt(string(e.Peak), 10, 64); err != nil || r.peak < 0 {
			r.peak = 0
		}
	}
	return true, true
}

// micros reads a time in microseconds, at most 30 years.
func micros(v value) (time.Duration, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < 0 || n > 1e15 {
		return 0, false
	}
	return time.Duration(n) * time.Microsecond, true
}
