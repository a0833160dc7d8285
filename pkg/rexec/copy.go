package rexec

import (
	"errors"
	"io"
	"net"
)

// A streamEnd is how one direction of output came to its end.
type streamEnd struct {
	bytes   int64
	refusal []byte // the complete stream reads as a refusal in-band
	cut     bool   // ended from this side
	err     error
}

// copyAll starts what moves the command's bytes.
func (s *Session) copyAll() {
	if s.Stdout == nil {
		s.Stdout = io.Discard
	}
	s.copying.Add(1)
	go func() {
		defer s.copying.Done()
		s.outEnd = s.copyStream(s.Stdout, s.stdout, "read output")
		s.client.trace("end of output after %d bytes", s.outEnd.bytes)
		if s.outPipe != nil {
			s.outPipe.Close()
		}
	}()
	if s.stderr != nil && !s.stderrCopied {
		s.copyStderr()
	}
	go s.copyStdin()
}

func (s *Session) copyStderr() {
	s.stderrCopied = true
	if s.Stderr == nil {
		s.Stderr = io.Discard
	}
	s.copying.Add(1)
	go func() {
		defer s.copying.Done()
		s.errEnd = s.copyStream(s.Stderr, s.stderr, "read stderr")
		s.client.trace("end of stderr after %d bytes", s.errEnd.bytes)
	}()
}

// copyStream passes on what the command writes. If the writer fails, the
// session is over: the command gets SIGPIPE for what it still writes, as it
// would from a pipe.
func (s *Session) copyStream(dst io.Writer, src *stream, doing string) streamEnd {
	var end streamEnd
	buf := make([]byte, chunk)
	read, isRefusal, err := readInband(src, buf, src.conn.SetReadDeadline)
	end.bytes = int64(len(read))
	if isRefusal {
		end.refusal = read
		return end
	}
	if len(read) > 0 {
		_, end.err = dst.Write(read)
	}
	for err == nil && end.err == nil {
		var n int
		n, err = src.Read(buf)
		end.bytes += int64(n)
		if n > 0 {
			_, end.err = dst.Write(buf[:n])
		}
	}
	switch {
	case end.err != nil:
		s.close()
	case err == io.EOF:
	case errors.Is(err, net.ErrClosed):
		end.cut = true
	case errors.Is(err, errReset) && s.sent.Load() > 0 && s.client.TLS == nil:
		// The command ended without reading all its input: closing a
		// connection with unread bytes resets it.
		s.client.trace("%s: %v: input was left unread", doing, err)
	default:
		end.err = &ProtocolError{doing, err}
		s.close()
	}
	return end
}

// copyStdin passes on the command's input, and then its end, as half a close.
func (s *Session) copyStdin() {
	if len(s.Head) > 0 {
		if _, err := s.stdout.conn.Write(s.Head); err != nil {
			s.client.trace("input is not read any more: %v", err)
			return
		}
	}
	if s.Stdin != nil {
		buf := make([]byte, chunk)
		for {
			n, err := s.Stdin.Read(buf)
			if n > 0 {
				s.sent.Add(int64(n))
				if _, err := s.stdout.conn.Write(buf[:n]); err != nil {
					s.client.trace("input is not read any more: %v", err)
					return
				}
			}
			if err != nil {
				s.client.trace("end of input after %d bytes: %v", s.sent.Load(), err)
				if err != io.EOF && !errors.Is(err, io.ErrClosedPipe) {
					s.inErr.Store(&err) // the command takes it for the end
				}
				break
			}
		}
	}
	if s.KeepOpen {
		return
	}
	if conn, ok := s.stdout.conn.(interface{ CloseWrite() error }); ok {
		conn.CloseWrite()
	}
}

// settleInband decides about streams that consist of nothing but a refusal:
// it is one if the command wrote nothing else.
func (s *Session) settleInband() error {
	switch out, errs := &s.outEnd, &s.errEnd; {
	case out.refusal != nil && errs.bytes == 0:
		return &RefusedError{Text: cleanRefusal(out.refusal[1:])}
	case errs.refusal != nil && out.bytes == 0:
		return &RefusedError{Text: cleanRefusal(errs.refusal[1:])}
	}
	var err error
	if len(s.outEnd.refusal) > 0 {
		_, err = s.Stdout.Write(s.outEnd.refusal)
	}
	if len(s.errEnd.refusal) > 0 && err == nil {
		_, err = s.Stderr.Write(s.errEnd.refusal)
	}
	return err
}

// StdinPipe returns a pipe to the command's input. Closing it is the end of
// the input; after the session's end writing fails.
func (s *Session) StdinPipe() (io.WriteCloser, error) {
	if s.Stdin != nil {
		return nil, errors.New("rexec: Stdin already set")
	}
	r, w := io.Pipe()
	s.Stdin = r
	s.pipes = append(s.pipes, r)
	return w, nil
}

// StdoutPipe returns a pipe from the command's output. Read it to its end
// before calling Wait.
func (s *Session) StdoutPipe() (io.ReadCloser, error) {
	if s.Stdout != nil {
		return nil, errors.New("rexec: Stdout already set")
	}
	r, w := io.Pipe()
	s.Stdout = w
	s.outPipe = w
	return r, nil
}
