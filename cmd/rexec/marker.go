package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A marker brings an exit status back: rexecd(8) has none on the wire, so the
// remote shell says it on its standard error, in words nobody can have
// foreseen, and a filter here takes them out again.
type marker struct {
	token string
	begin []byte // up to the digits
	found chan int
}

const markerEnd = 0x1e // ASCII's record separator, at both ends

func newMarker() *marker {
	token := rand.Text()
	return &marker{token: token, begin: []byte("\x1erexec " + token + " "), found: make(chan int, 1)}
}

// wrap makes the command that runs command by the user's own shell and then
// says its status. What login shells read is `exec /bin/sh -c '...'` with
// nothing between the quotes that any of them, csh and fish too, takes for
// its own: the command is in octal wherever it is not plain. An outer sh
// outlives the signals that come for the command's process group.
func (m *marker) wrap(command string) string {
	return `exec /bin/sh -c 'c=$(printf "x` + octal(command) + `x");c=${c#x};c=${c%x};` +
		`trap : HUP INT QUIT USR1 USR2 ALRM TERM;` +
		`"${SHELL:-/bin/sh}" -c "$c";s=$?;` +
		`[ $s -gt 255 ]&&s=$((s%128+128));` + // for signal n ksh93 says 256+n, yash 384+n
		`printf "\036rexec ` + m.token + ` %d\036" $s >&2'`
}

// octal writes text for printf(1)'s format between double quotes between
// single quotes.
func octal(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c >= 0x7f || strings.IndexByte("'\"\\$`!%", c) >= 0 {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// status is what the marker said, if it came.
func (m *marker) status() (int, bool) {
	select {
	case status := <-m.found:
		return status, true
	default:
		return 0, false
	}
}

// A filter passes on what is written to it, without the marker.
type filter struct {
	*marker
	out  io.Writer
	held []byte // the end of what came so far, if it could be the marker's begin
	done bool
}

// Write holds back only bytes that could be the marker's begin.
func (f *filter) Write(p []byte) (int, error) {
	if f.done {
		return f.out.Write(p)
	}
	data := p
	if len(f.held) > 0 {
		data = append(f.held, p...)
		f.held = nil
	}
	at, length, status := f.find(data)
	out := data[:at]
	switch {
	case length > 0:
		f.done = true
		select {
		case f.found <- status:
		default:
		}
		out = append(out[:at:at], data[at+length:]...)
	case at < len(data):
		f.held = bytes.Clone(data[at:])
	}
	if len(out) > 0 {
		if _, err := f.out.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// flush passes on what was held back and is not the marker after all.
func (f *filter) flush() error {
	if len(f.held) == 0 {
		return nil
	}
	_, err := f.out.Write(f.held)
	f.held = nil
	return err
}

// find looks for the marker in data: where it is and how long (and the status
// in it), or where it may have begun, or the end of data.
func (m *marker) find(data []byte) (at, length, status int) {
	for from := 0; ; from++ {
		i := bytes.IndexByte(data[from:], markerEnd)
		if i < 0 {
			return len(data), 0, 0
		}
		from += i
		length, status, possible := m.match(data[from:])
		if possible {
			return from, length, status
		}
	}
}

// match tells whether data begins with the marker, or could if it went on.
func (m *marker) match(data []byte) (length, status int, possible bool) {
	if len(data) <= len(m.begin) {
		return 0, 0, bytes.HasPrefix(m.begin, data)
	}
	digits, found := bytes.CutPrefix(data, m.begin)
	if !found {
		return 0, 0, false
	}
	digits, _, ended := bytes.Cut(digits, []byte{markerEnd})
	status, err := strconv.Atoi(string(digits))
	switch {
	case len(digits) == 0 && !ended:
		return 0, 0, true
	case err != nil || len(digits) > 3 || digits[0] == '-' || digits[0] == '+' || status > 255:
		return 0, 0, false
	case !ended:
		return 0, 0, true
	}
	return len(m.begin) + len(digits) + 1, status, true
}
