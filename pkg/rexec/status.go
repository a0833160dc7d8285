package rexec

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"rexecd/pkg/rexec/wire"
)

const (
	maxRefusal = 4096                   // bytes of a refusal that are kept
	aMoment    = 250 * time.Millisecond // for what was sent together to arrive together
)

// awaitStatus waits for the status byte. It comes first on the primary
// connection, except from GNU's servers since 1.9.2: those send it, or the
// refusal, on the stderr connection, and the primary one then carries nothing
// but the command's output. So it is what comes first that decides, and every
// other byte, 0 and 1 too, is the command's.
func (s *Session) awaitStatus(ctx context.Context) error {
	var early opening // of the stderr connection, if it has come
	stderr := s.stderr.opening()
	for {
		select {
		case first := <-s.stdout.opening():
			return s.onPrimary(first, early)
		case early = <-stderr:
			stderr = nil
			s.stderr.keep(early.data)
			s.client.trace("the stderr connection begins before the status byte")
			switch {
			case s.isStderrStatus(early):
				return s.onStderrStatus(early)
			case early.begins(wire.StatusError):
				// A refusal if the primary now ends, else the command's.
			case early.some():
				s.copyStderr() // before the status, so that its sender is never stuck
			}
		case <-ctx.Done():
			return &ProtocolError{"read status byte", ctx.Err()}
		}
	}
}

func (s *Session) isStderrStatus(o opening) bool {
	return o.begins(wire.StatusOK) && !s.client.Quirks.StatusOnPrimary
}

// onPrimary goes by the opening of the primary connection. Unless that is the
// standard's NUL, the stderr connection has a say.
func (s *Session) onPrimary(first, early opening) error {
	s.stdout.keep(first.data)
	if first.begins(wire.StatusOK) {
		s.stdout.keep(first.data[1:])
		s.client.trace("status byte 0: the command runs")
		return nil
	}
	if stderr := s.stderr.opening(); stderr != nil {
		select {
		case early = <-stderr:
			s.stderr.keep(early.data)
		case <-time.After(aMoment):
		}
		if s.isStderrStatus(early) {
			s.stderr.keep(early.data[1:])
			s.client.trace("status byte 0 on the stderr connection")
			return nil
		}
	}
	switch {
	case first.begins(wire.StatusError):
		s.stdout.keep(first.data[1:])
		return s.refusal(s.stdout)
	case first.some():
		line, _ := readRefusal(s.stdout, s.stdout.conn.SetReadDeadline)
		return &ProtocolError{"read status byte", fmt.Errorf("the server began with %.200q", line)}
	case early.begins(wire.StatusError):
		s.stderr.keep(early.data[1:])
		return s.refusal(s.stderr)
	}
	s.client.trace("end of the primary connection before a status byte: %v", first.err)
	return &RefusedError{}
}

// onStderrStatus is called when a NUL has come on the stderr connection and
// the primary was silent. If the primary's NUL turns out to be there too,
// order cannot be told any more, and the standard is the likelier.
func (s *Session) onStderrStatus(early opening) error {
	select {
	case first := <-s.stdout.opening():
		s.stdout.keep(first.data)
		if first.begins(wire.StatusOK) {
			s.stdout.keep(first.data[1:])
			s.client.trace("status byte 0: the command runs")
			return nil
		}
	default:
	}
	s.stderr.keep(early.data[1:])
	s.client.trace("status byte 0 on the stderr connection")
	return nil
}

func (s *Session) refusal(from *stream) error {
	text, err := readRefusal(from, from.conn.SetReadDeadline)
	s.client.trace("status byte 1: %q", text)
	if err != nil && text == "" && err != io.EOF {
		return &ProtocolError{"read refusal", err}
	}
	return &RefusedError{Text: text}
}

// readRefusal reads what follows the status byte 1: to the end of file or, as
// not every server closes at once, to a moment after the first line.
func readRefusal(r io.Reader, setDeadline func(time.Time) error) (string, error) {
	var text []byte
	buf := make([]byte, 512)
	for len(text) < maxRefusal {
		n, err := r.Read(buf)
		hadLine := bytes.IndexByte(text, '\n') >= 0
		text = append(text, buf[:n]...)
		if err != nil {
			return cleanRefusal(text), err
		}
		if !hadLine && bytes.IndexByte(text, '\n') >= 0 {
			if err := setDeadline(time.Now().Add(aMoment)); err != nil {
				break
			}
		}
	}
	return cleanRefusal(text), nil
}

// cleanRefusal takes the lines out of a refusal. OpenVMS ends them with CR, LF
// and a NUL; what would follow a NUL is no text.
func cleanRefusal(raw []byte) string {
	raw = raw[:min(len(raw), maxRefusal)]
	raw, _, _ = bytes.Cut(raw, []byte{0})
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
