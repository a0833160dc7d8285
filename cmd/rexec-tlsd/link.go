package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// A session is the connections of one client.
type session struct {
	config  *tls.Config
	control *control
	ctx     context.Context // of handshakes
	cancel  func()

	links sync.WaitGroup
	mu    sync.Mutex
	all   []*link
	first []byte // the client's certificate
	probe bool   // whether clients that have ended their input are still there
}

func newSession(config *tls.Config, c *control, patience time.Duration) *session {
	s := &session{config: config, control: c}
	s.ctx, s.cancel = context.WithTimeout(context.Background(), patience)
	return s
}

// A link is one connection, and the stream in its place.
type link struct {
	session      *session
	outer, inner *socket
	tls          *tls.Conn
	ended        chan struct{} // the command's output, and all of it is sent
}

// begin takes a connection, whose handshake and relay then run by themselves.
func (s *session) begin(outerFd, innerFd int) {
	outer, err := newSocket(outerFd, true)
	inner, innerErr := newSocket(innerFd, false)
	if err = errors.Join(err, innerErr); err != nil {
		s.control.report(failed, err.Error())
		return
	}
	l := &link{session: s, outer: outer, inner: inner, tls: tls.Server(outer, s.config), ended: make(chan struct{})}
	s.links.Add(1)
	go func() {
		defer s.links.Done()
		if l.shakeHands() {
			l.run()
		}
	}()
}

// shakeHands does the handshake and reports on it.
func (l *link) shakeHands() bool {
	s := l.session
	err := l.tls.HandshakeContext(s.ctx)
	if err == nil {
		err = s.sameClient(l.tls)
	}
	if err != nil {
		s.control.report(failed, handshakeError(err))
		l.inner.reset()
		l.outer.closeWrite() // the alert says why
		l.outer.drop(time.Second)
		l.outer.Close()
		return false
	}
	s.mu.Lock()
	s.all = append(s.all, l)
	s.mu.Unlock()
	if errors.Is(s.ctx.Err(), context.Canceled) { // part did not know of it
		s.part(time.Second)
	}
	state := l.tls.ConnectionState()
	name := ""
	if len(state.PeerCertificates) > 0 {
		name, _ = commonName(state.PeerCertificates[0]) // sameClient has refused what has none
	}
	s.control.report(done, tls.VersionName(state.Version), name)
	return true
}

// handshakeError is the reason of a handshake that failed, for the log.
func handshakeError(err error) string {
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &plain):
		return "the client does not speak TLS: it began with \"" + string(bytes.TrimRight(plain.RecordHeader[:], "\x00")) + "\""
	case errors.Is(err, context.DeadlineExceeded):
		return "not in time"
	}
	return err.Error()
}

// part ends everything soon, and handshakes at once.
func (s *session) part(d time.Duration) {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		_ = l.outer.SetDeadline(time.Now().Add(d))
		_ = l.inner.SetDeadline(time.Now().Add(d))
	}
}

// release notes that the command runs.
func (s *session) release(probe bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probe = probe
}

func (s *session) probes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probe
}

// run relays both directions to their ends. What is no end in order, on either side,
// is none on the other.
func (l *link) run() {
	received := make(chan struct{})
	go func() {
		defer close(received)
		l.receive()
	}()
	l.send()
	<-received
	l.inner.Close()
	l.outer.Close()
}

// abort resets both sides.
func (l *link) abort() {
	l.inner.reset()
	l.outer.reset()
}

const chunk = 64 << 10

// send passes the command's output on, and its end.
func (l *link) send() {
	defer close(l.ended)
	buf := make([]byte, chunk)
	defer clear(buf)
	for {
		n, err := l.inner.Read(buf)
		if n > 0 {
			out := buf[:n]
			if err := l.outer.together(func() error { _, err := l.tls.Write(out); return err }); err != nil {
				l.abort()
				return
			}
		}
		switch {
		case err == io.EOF, errors.Is(err, syscall.ECONNRESET):
			// A reset is the end of a command that has left input unread: in.rexecd keeps
			// the stream until all of its output has come here.
			if l.tls.CloseWrite() != nil {
				l.abort()
			}
			l.outer.closeWrite()
			return
		case err != nil:
			l.abort()
			return
		}
	}
}

// receive passes the client's input on, and its end if it was announced.
func (l *link) receive() {
	buf := make([]byte, chunk)
	defer clear(buf)
	for {
		n, err := l.tls.Read(buf)
		if n > 0 {
			if _, err := l.inner.Write(buf[:n]); err != nil {
				l.discard()
				return
			}
			clear(buf[:n]) // a password may be in it
		}
		switch {
		case err == io.EOF:
			l.inner.resets(false) // the end is the end now
			l.inner.closeWrite()
			l.watch()
			return
		case err != nil:
			l.abort()
			return
		}
	}
}

// lingerTime is how long a client may take to end its side once all is over.
const lingerTime = 2 * time.Second

// discard drops input that the command will not read: it has closed its end. What it
// has written is still on its way, and a close with input unread would reset that.
func (l *link) discard() {
	buf := make([]byte, chunk)
	for {
		select {
		case <-l.ended:
			l.outer.drop(lingerTime)
			return
		default:
		}
		_ = l.outer.SetReadDeadline(time.Now().Add(lingerTime / 4))
		if _, err := l.outer.File.Read(buf); err != nil && !isTimeout(err) {
			<-l.ended
			return
		}
	}
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// watch waits for the end of the output, and for the loss of the connection: no byte
// that comes means anything any more.
func (l *link) watch() {
	if l.session.probes() {
		l.outer.probe()
	}
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		buf := make([]byte, 4096)
		for {
			if _, err := l.outer.File.Read(buf); err == io.EOF {
				break
			} else if err != nil {
				l.loss()
				return
			}
		}
		l.outer.awaitLoss()
		l.loss()
	}()
	<-l.ended
	// The client has announced its end as well: nothing is missing.
	_ = l.outer.SetReadDeadline(time.Now().Add(lingerTime))
}

// loss is the end of the connection before that of the output.
func (l *link) loss() {
	select {
	case <-l.ended:
	default:
		l.abort()
	}
}
