package rexec

import (
	"bytes"
	"context"
	"errors"
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
	if s.client.Quirks.StatusOnStderr && s.stderr != nil {
		return s.awaitOnStderr(ctx)
	}
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
				select {
				case first := <-s.stdout.opening():
					return s.onPrimary(first, early)
				case <-time.After(aMoment): // or words of a refusal, whose status byte comes at once
				}
				s.copyStderr() // before the status, so that its sender is never stuck
			}
		case <-ctx.Done():
			return &ProtocolError{"read status byte", ctx.Err()}
		}
	}
}

// awaitOnStderr waits for the status byte where the quirk places it.
func (s *Session) awaitOnStderr(ctx context.Context) error {
	primary := s.stdout.opening()
	for {
		select {
		case first := <-s.stderr.opening():
			s.stderr.keep(first.data)
			switch {
			case first.begins(wire.StatusOK):
				s.stderr.keep(first.data[1:])
				s.client.trace("status byte 0 on the stderr connection")
				return nil
			case first.begins(wire.StatusError):
				s.stderr.keep(first.data[1:])
				return s.refusal(s.stderr)
			case first.some():
				return &ProtocolError{"read status byte on the stderr connection", &BannerError{Line: string(first.data)}}
			}
			s.client.trace("end of the stderr connection before a status byte: %v", first.err)
			return &RefusedError{}
		case first := <-primary:
			primary = nil
			s.stdout.giveBack(first)
		case <-ctx.Done():
			return &ProtocolError{"read status byte", ctx.Err()}
		}
	}
}

func (s *Session) isStderrStatus(o opening) bool {
	return o.begins(wire.StatusOK) && !s.client.Quirks.StatusOnPrimary
}

// onPrimary goes by the opening of the primary connection. Unless that is the
// standard's NUL, the stderr connection counts too.
func (s *Session) onPrimary(first, early opening) error {
	s.stdout.keep(first.data)
	if first.begins(wire.StatusOK) {
		s.stdout.keep(first.data[1:])
		s.client.trace("status byte 0: the command runs")
		return nil
	}
	if s.client.TLS != nil && !first.some() && first.err != io.EOF {
		return &ProtocolError{"read status byte", first.err} // an alert, for example: no end in order
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
		if len(s.stdout.buffered) == 0 && s.stderr != nil && !s.stderrCopied {
			return s.refusalOnEither(early)
		}
		return s.refusal(s.stdout)
	case first.some():
		line, _ := readRefusal(s.stdout, s.stdout.conn.SetReadDeadline)
		return &ProtocolError{"read status byte", &BannerError{Line: line}}
	case early.begins(wire.StatusError):
		s.stderr.keep(early.data[1:])
		return s.refusal(s.stderr)
	}
	s.client.trace("end of the primary connection before a status byte: %v", first.err)
	return &RefusedError{}
}

// onStderrStatus is called when a NUL has come on the stderr connection and
// the primary was silent. If the primary's NUL turns out to be there too,
// order is lost, and the standard is the likelier.
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

// refusalOnEither is when a byte 1 came alone: the words are on the primary
// connection as ever, or on the stderr connection (Indy, iSphere).
func (s *Session) refusalOnEither(early opening) error {
	primary, stderr := make(chan error, 1), make(chan error, 1)
	go func() { primary <- s.refusal(s.stdout) }()
	if early.some() { // given back already
		go func() { stderr <- s.refusal(s.stderr) }()
	} else if opening := s.stderr.opening(); opening != nil {
		go func() {
			if first := <-opening; first.some() {
				s.stderr.keep(first.data)
				stderr <- s.refusal(s.stderr)
			}
		}()
	}
	select {
	case err := <-primary:
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Text != "" {
			return err
		}
		select {
		case words := <-stderr:
			return words
		case <-time.After(aMoment):
		}
		return err
	case words := <-stderr:
		return words
	}
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
	raw = bytes.TrimPrefix(raw[:min(len(raw), maxRefusal)], []byte{wire.StatusError}) // on both connections
	raw, _, _ = bytes.Cut(raw, []byte{0})
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
