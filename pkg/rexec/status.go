package rexec

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
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
	var early firstByte // what stderr began with, if that is known
	primary, stderr := s.stdout.watch(), s.stderr.watch()
	for {
		select {
		case first := <-primary:
			s.stdout.take()
			return s.onPrimary(first, early)
		case early = <-stderr:
			s.stderr.take()
			stderr = nil
			s.client.trace("first byte on the stderr connection, before the status byte")
			switch {
			case early.is(StatusOK) && !s.client.Quirks.StatusOnPrimary:
				return s.onStderrStatus(early)
			case early.is(StatusError):
				// A refusal if the primary now ends, else the command's.
			case early.ok:
				s.stderr.hold(early)
				s.copyStderr() // before the status, so that its sender is never stuck
			}
		case <-ctx.Done():
			return &ProtocolError{"read status byte", ctx.Err()}
		}
	}
}

// onPrimary goes by the first byte of the primary connection, or its end.
// Unless that is the standard's NUL, the stderr connection has a say.
func (s *Session) onPrimary(first, early firstByte) error {
	if !first.is(StatusOK) && s.stderr.watch() != nil {
		select {
		case early = <-s.stderr.watch():
			s.stderr.take()
		case <-time.After(aMoment):
		}
		if early.is(StatusOK) && !s.client.Quirks.StatusOnPrimary {
			s.stdout.hold(first)
			s.client.trace("status byte 0 on the stderr connection")
			return nil
		}
	}
	switch {
	case first.is(StatusOK):
		s.client.trace("status byte 0: the command runs")
		if early.is(StatusError) { // all others went their way already
			s.stderr.hold(early)
		}
		return nil
	case first.is(StatusError):
		return s.refusal(s.stdout)
	case first.ok:
		line, _ := readRefusal(s.stdout.conn, s.stdout.conn.SetReadDeadline)
		return &ProtocolError{"read status byte", fmt.Errorf("the server began with %q", string(first.value)+line)}
	case early.is(StatusError):
		return s.refusal(s.stderr)
	}
	s.client.trace("end of the primary connection before a status byte: %v", first.err)
	return &RefusedError{}
}

// onStderrStatus is called when a NUL has come on the stderr connection and
// the primary was silent. If the primary's NUL turns out to be there too,
// order cannot be told any more, and the standard is the likelier.
func (s *Session) onStderrStatus(early firstByte) error {
	select {
	case first := <-s.stdout.watch():
		s.stdout.take()
		if first.is(StatusOK) {
			s.stderr.hold(early)
			s.client.trace("status byte 0: the command runs")
			return nil
		}
		s.stdout.hold(first)
	default:
	}
	s.client.trace("status byte 0 on the stderr connection")
	return nil
}

func (s *Session) refusal(from *stream) error {
	text, err := readRefusal(from.conn, from.conn.SetReadDeadline)
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
