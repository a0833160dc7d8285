package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A Peeker is a connection that can be looked at before it is read. The
// request ends at a NUL byte and what follows belongs to the command, so the
// server must never read one byte too many; a peek finds the NUL, a read then
// takes exactly that much.
type Peeker interface {
	// Peek copies the bytes that have arrived into p without consuming them,
	// as recv(2) does with MSG_PEEK: at least one byte, or an error (io.EOF
	// at the end of the stream).
	Peek(p []byte) (int, error)
	io.Reader
}

// A Request is what the client asks for, byte for byte.
type Request struct {
	User     string
	Password []byte // the only copy; wiped by Wipe
	Command  string
}

// Wipe overwrites the password.
func (r *Request) Wipe() { clear(r.Password) }

// A PortError says what is wrong with a stderr port. Its text is meant for the
// client: it names the rule, and repeats nothing of what was sent.
type PortError struct{ Sent []byte }

func (e *PortError) Error() string { return "stderr port is not a number from 0 to 65535" }

// ReadPort reads the first field: the port of the client's stderr connection,
// empty or 0 for none (rexecd(8), step 2). Decimal digits only, at most 5, at
// most 65535: a *PortError otherwise, as soon as it is certain.
func ReadPort(r Peeker) (int, error) {
	var sent [6]byte // five digits and their NUL
	port, n := 0, 0
	for {
		got, err := r.Peek(sent[n:])
		if err != nil {
			return 0, fieldError("stderr port", n, err)
		}
		digits, next, ended := bytes.Cut(sent[n:n+got], []byte{0})
		clear(next) // of the fields behind it, perhaps the password
		for i, c := range digits {
			if c < '0' || c > '9' {
				return 0, &PortError{sent[:n+i+1]}
			}
			port = port*10 + int(c-'0')
		}
		n += len(digits)
		if n == len(sent) || port > 65535 {
			return 0, &PortError{sent[:n]}
		}
		take := make([]byte, len(digits), len(sent))
		if ended {
			take = take[:len(digits)+1]
		}
		if _, err := io.ReadFull(r, take); err != nil {
			return 0, fieldError("stderr port", n, err)
		}
		if ended {
			return port, nil
		}
	}
}

// ReadRequest reads user, password and command (rexecd(8), step 4) and not one
// byte past the command's NUL. A field over its limit is one of ErrUserTooLong,
// ErrPasswordTooLong, ErrCommandTooLong; what was read of the request by then
// is returned with the error, for the log.
func ReadRequest(r Peeker) (*Request, error) {
	req := &Request{}
	user, err := readField(r, "user name", nil, MaxUser, ErrUserTooLong)
	req.User = string(user)
	if err != nil {
		return req, err
	}
	// One allocation of the full size, so that growing leaves no copy behind.
	req.Password, err = readField(r, "password", make([]byte, 0, MaxPassword+1), MaxPassword, ErrPasswordTooLong)
	if err != nil {
		req.Wipe()
		return req, err
	}
	command, err := readField(r, "command", nil, MaxCommand, ErrCommandTooLong)
	req.Command = string(command)
	return req, err
}

// readField appends the field to buf, which must have room when it may not be
// copied, and returns it without its NUL.
func readField(r Peeker, name string, buf []byte, limit int, tooLong error) ([]byte, error) {
	if buf == nil {
		buf = make([]byte, 0, MaxPassword+1)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(8*cap(buf), limit+1)), buf...)
		}
		free := buf[len(buf):min(cap(buf), limit+1)]
		n, err := r.Peek(free)
		if err != nil {
			return buf, fieldError(name, len(buf), err)
		}
		end := bytes.IndexByte(free[:n], 0)
		if end >= 0 {
			clear(free[end+1 : n]) // the next field may be the password: no copy of it stays here
			n = end + 1
		} else if len(buf)+n > limit {
			clear(free[:n])
			return buf, tooLong
		}
		if _, err := io.ReadFull(r, free[:n]); err != nil {
			return buf, fieldError(name, len(buf), err)
		}
		if end >= 0 {
			return buf[:len(buf)+end], nil
		}
		buf = buf[:len(buf)+n]
	}
}

// fieldError says which field the stream failed in, and whether inside it.
func fieldError(name string, n int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read %s: connection closed after %d bytes of it: %w", name, n, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("read %s: %w", name, err)
}
