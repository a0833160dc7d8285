package rexec

import (
	"net"
)

const chunk = 64 << 10 // what one system call moves at most

// An opening is what the first read of a connection gave: at least one byte,
// or why there is none.
type opening struct {
	data []byte
	err  error // io.EOF too
}

func (o opening) some() bool { return len(o.data) > 0 }

// begins reports whether there is a first byte and it is this one.
func (o opening) begins(with byte) bool { return o.some() && o.data[0] == with }

// A stream is the receiving half of one connection. Its opening is read in the
// background: so it can be watched while the client waits for something else.
type stream struct {
	conn     net.Conn
	first    <-chan opening // nil once received
	buffered []byte         // received, and still to be given by Read
}

func newStream(conn net.Conn) *stream {
	first := make(chan opening, 1)
	go func() {
		buf := make([]byte, chunk)
		n, err := conn.Read(buf)
		first <- opening{buf[:n], err}
	}()
	return &stream{conn: conn, first: first}
}

// opening delivers the stream's opening, once; never, if there is no stream.
// Whoever receives from it returns to the stream, with keep, what is to be read.
func (s *stream) opening() <-chan opening {
	if s == nil {
		return nil
	}
	return s.first
}

// keep is called with what was received, less a status byte if it began with
// one.
func (s *stream) keep(data []byte) { s.first, s.buffered = nil, data }

// giveBack is keep for an opening that somebody else is to look at.
func (s *stream) giveBack(o opening) {
	first := make(chan opening, 1)
	first <- o
	s.first = first
}

func (s *stream) Read(p []byte) (int, error) {
	if s.first != nil {
		first := <-s.first
		s.keep(first.data)
		if len(first.data) == 0 {
			return 0, first.err
		}
	}
	if len(s.buffered) > 0 {
		n := copy(p, s.buffered)
		s.buffered = s.buffered[n:]
		return n, nil
	}
	return s.conn.Read(p)
}
