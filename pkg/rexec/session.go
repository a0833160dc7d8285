package rexec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"rexecd/pkg/rexec/wire"
)

// A Session is one command on the server. Like os/exec's Cmd it is set up,
// started once and waited for once.
type Session struct {
	// Stdin is what the command reads; when it ends, the command sees end of
	// file. nil is no input. Wait does not wait for it: a session is over when
	// its output is, and a Read of Stdin may then still be under way.
	Stdin io.Reader

	// Head is sent before Stdin and is no part of it: a command that was
	// wrapped reads it first. That the server left it unread excuses nothing.
	Head []byte

	// KeepOpen leaves the connection's sending side open after the end of
	// Stdin, for servers and tunnels that take its end for the end of
	// everything. The command does not see the end of its input.
	KeepOpen bool

	// Stdout and Stderr take what the command writes, as it comes and
	// unbuffered; a slow writer slows the command down. nil discards. Without
	// a stderr connection everything goes to Stdout. They are written to from
	// two goroutines, unless they are the same.
	Stdout io.Writer
	Stderr io.Writer

	client  *Client
	ctx     context.Context
	command string

	started bool
	stdout  *stream
	stderr  *stream // nil without a stderr connection

	abandoned sync.Mutex  // one at a time
	portSent  atomic.Bool // and nothing else yet
	closeOnce sync.Once
	stop      func() bool // forget the context
	signals   sync.Mutex  // one writer at a time
	running   bool        // guarded by signals

	copying      sync.WaitGroup
	stderrCopied bool
	sent         atomic.Int64 // bytes of input
	inErr        atomic.Pointer[error]
	outEnd       streamEnd
	errEnd       streamEnd
	pipes        []*io.PipeReader // of StdinPipe
	outPipe      *io.PipeWriter   // of StdoutPipe
}

// Start connects, sends what is to be run, and waits for the server's status
// byte. When it returns nil, the command runs. Its errors are *DialError (no
// connection, nothing was run), *RefusedError and *ProtocolError.
func (s *Session) Start() error {
	if s.started {
		return ErrStarted
	}
	s.started = true
	ctx, cancel := s.client.withTimeout(s.ctx)
	defer cancel()
	err := s.start(ctx, s.client.Stderr != StderrNo)
	var dialError *DialError
	if s.client.Stderr == StderrAuto && errors.As(err, &dialError) && dialError.Stderr && ctx.Err() == nil {
		s.client.trace("%v; beginning again with one connection", err)
		err = s.start(ctx, false)
	}
	if err != nil {
		s.closePipes()
	}
	return err
}

func (s *Session) start(ctx context.Context, wantStderr bool) error {
	request, err := s.client.request(s.command)
	if err != nil {
		return err
	}
	primary, err := s.client.dial(ctx)
	if err != nil {
		return err
	}
	if primary, err = s.client.secure(ctx, primary); err != nil {
		return &DialError{Addr: s.client.Host, Port: s.client.port(), Err: err}
	}
	s.closeOnce, s.stderr = sync.Once{}, nil
	s.stdout = newStream(primary)
	unwatch := context.AfterFunc(ctx, func() { // ends a write that is stuck
		s.abandon(primary)
		primary.Close()
	})
	err = s.converse(ctx, wantStderr, request)
	if !unwatch() { // what went wrong is that the connection was closed
		err = timeUp(err, ctx.Err())
	}
	if err != nil {
		s.close()
		s.copying.Wait()
		return err
	}
	s.stop = context.AfterFunc(s.ctx, s.close)
	s.signals.Lock()
	s.running = true // before the first output: whoever sees that may signal
	s.signals.Unlock()
	s.copyAll()
	return nil
}

// timeUp is the error for a ctx that has ended.
func timeUp(err, cause error) error {
	var dialError *DialError
	var protocolError *ProtocolError
	switch {
	case errors.As(err, &dialError):
		return err
	case errors.As(err, &protocolError):
		return &ProtocolError{protocolError.Doing, cause}
	}
	return &ProtocolError{"read status byte", cause}
}

// converse is the protocol: the port, the server's connection to it, user,
// password and command, the status byte.
func (s *Session) converse(ctx context.Context, wantStderr bool, request []byte) error {
	primary := s.stdout.conn
	// A server without a status byte would not report a failure.
	if !wantStderr || s.client.Stderr == StderrAuto && s.client.Quirks.NoStatus {
		return s.ask(ctx, append([]byte{0}, request...))
	}
	listener, err := s.client.listenStderr(primary)
	if err != nil {
		return err
	}
	defer listener.Close()
	port := append(strconv.AppendInt(nil, int64(listener.Addr().(*net.TCPAddr).Port), 10), 0)
	if s.client.Quirks.LateStderr {
		port = append(port, request...)
	}
	s.portSent.Store(!s.client.Quirks.LateStderr)
	if err := s.send(port, "send stderr port"); err != nil {
		return err
	}
	came, err := s.client.acceptStderr(ctx, listener, primary.RemoteAddr(), s.stdout.opening())
	if err != nil {
		s.abandon(primary)
		return err
	}
	s.portSent.Store(false)
	if came.conn == nil {
		return s.answeredBeforeStderr(came, listener.Addr().String())
	}
	secured, err := s.client.secure(ctx, came.conn)
	if err != nil {
		return &DialError{Addr: listener.Addr().String(), Stderr: true, Err: err}
	}
	came.conn = secured
	s.stderr = newStream(came.conn)
	defer context.AfterFunc(ctx, func() { came.conn.Close() })() // ends a refusal there that never does
	if came.answer.some() {
		s.stdout.giveBack(came.answer)
	}
	if s.client.Quirks.LateStderr {
		request = nil
	}
	return s.ask(ctx, request)
}

func (s *Session) ask(ctx context.Context, request []byte) error {
	if len(request) > 0 {
		s.client.traceRequest(s.command)
		if err := s.send(request, "send request"); err != nil {
			return err
		}
	}
	if s.client.Quirks.NoStatus {
		s.client.trace("not waiting for a status byte")
		return nil
	}
	return s.awaitStatus(ctx)
}

// send writes to the primary connection. A server that has refused and gone
// makes it fail; what it sent is then still to be read, so that is no error.
func (s *Session) send(data []byte, doing string) error {
	_, err := s.stdout.conn.Write(data)
	if err == nil {
		return nil
	}
	select {
	case first := <-s.stdout.opening():
		if first.begins(wire.StatusError) {
			return s.onPrimary(first, opening{})
		}
	case <-time.After(aMoment):
	}
	return &ProtocolError{doing, err}
}

// Wait returns when the command's output has ended on all connections: nil, or
// why it ended before its time, or what reading Stdin failed with. rexecd(8) has
// no exit status to give. A *RefusedError comes from servers that accept first
// and no afterwards.
func (s *Session) Wait() error {
	if s.stop == nil {
		return ErrNotStarted
	}
	s.copying.Wait()
	cut := !s.stop() && (s.outEnd.cut || s.errEnd.cut)
	s.close()
	s.closePipes()
	if cut {
		return fmt.Errorf("wait for command: %w", context.Cause(s.ctx))
	}
	if err := errors.Join(s.outEnd.err, s.errEnd.err); err != nil {
		return err
	}
	if err := s.settleInband(); err != nil {
		return err
	}
	if err := s.inErr.Load(); err != nil {
		return fmt.Errorf("read input: %w", *err)
	}
	return nil
}

// Run starts the command and waits for it.
func (s *Session) Run() error {
	if err := s.Start(); err != nil {
		return err
	}
	return s.Wait()
}

// Output runs the command and returns what it wrote to its standard output.
func (s *Session) Output() ([]byte, error) {
	if s.Stdout != nil {
		return nil, errors.New("rexec: Stdout already set")
	}
	var out bytes.Buffer
	s.Stdout = &out
	err := s.Run()
	return out.Bytes(), err
}

// Close ends a started session at once; a Wait under way returns. Start is
// ended by its context.
func (s *Session) Close() error {
	if s.stdout != nil {
		s.close()
	}
	return nil
}

// closePipes ends what the caller may wait for.
func (s *Session) closePipes() {
	for _, pipe := range s.pipes {
		pipe.CloseWithError(io.ErrClosedPipe)
	}
	if s.outPipe != nil {
		s.outPipe.Close()
	}
}

func (s *Session) close() {
	s.closeOnce.Do(func() {
		s.stdout.conn.Close()
		if s.stderr != nil {
			s.stderr.conn.Close()
		}
	})
}
