package rexec

import (
	"fmt"
	"time"
)

// Signal sends a signal to the command, by its number on the server's system.
// It may be called at any time, also while Start is under way; it is then
// ErrNotStarted. Without a stderr connection it is ErrNoStderr. Number 0 sends
// nothing, as with kill(2).
func (s *Session) Signal(number byte) error {
	s.signals.Lock()
	defer s.signals.Unlock()
	if !s.running {
		return ErrNotStarted
	}
	if s.stderr == nil {
		return ErrNoStderr
	}
	if number == 0 {
		return nil
	}
	s.client.trace("sending signal %d", number)
	s.stderr.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if _, err := s.stderr.conn.Write([]byte{number}); err != nil {
		return fmt.Errorf("send signal %d: %w", number, err)
	}
	return nil
}

// HasStderr reports whether the session has a stderr connection.
func (s *Session) HasStderr() bool { return s.stderr != nil }
