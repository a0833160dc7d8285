package rexec

import (
	"io"
	"net"
)

// A firstByte is what a connection begins with. What follows it has not been
// read.
type firstByte struct {
	value byte
	ok    bool  // there was one
	err   error // if not, why: io.EOF too
}

// is tells whether there was a first byte and it was value.
func (f firstByte) is(value byte) bool { return f.ok && f.value == value }

// A stream is the receiving half of one connection. Its first byte is read in
// the background: so it can be watched while the client waits for something
// else, and still nothing is read that belongs to the command.
type stream struct {
	conn  net.Conn
	first <-chan firstByte // nil once taken
	held  []byte           // taken and found to be the command's
}

func newStream(conn net.Conn) *stream {
	first := make(chan firstByte, 1)
	go func() {
		var b [1]byte
		n, err := io.ReadFull(conn, b[:])
		first <- firstByte{b[0], n == 1, err}
	}()
	return &stream{conn: conn, first: first}
}

// watch is the channel of the first byte; nil, which never delivers, if the
// stream does not exist or the byte was taken.
func (s *stream) watch() <-chan firstByte {
	if s == nil {
		return nil
	}
	return s.first
}

// take notes that the first byte was received from watch.
func (s *stream) take() { s.first = nil }

// hold gives the first byte back: it is the command's.
func (s *stream) hold(f firstByte) {
	if f.ok {
		s.held = append(s.held, f.value)
	}
}

func (s *stream) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case len(s.held) > 0:
		n := copy(p, s.held)
		s.held = s.held[n:]
		return n, nil
	case s.first != nil:
		first := <-s.first
		s.first = nil
		if !first.ok {
			return 0, first.err
		}
		p[0] = first.value
		return 1, nil
	}
	return s.conn.Read(p)
}
