package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A Peeker is a connection that can be looked at before it is read. The
// request ends at a NUL byte and what follows belongs to the command, so the
// server must never read one byte too many: a peek finds the NUL, then a read
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

// A PortError is a stderr port that is not one. Its text is meant for the client:
// it names the rule, and repeats nothing of what was sent.
type PortError struct {
	Sent     []byte // the digits, up to the first byte that is wrong
	Protocol string // what the connection begins with instead, if that is known
}

func (e *PortError) Error() string { return "stderr port is not a number from 0 to 65535" }

// Reason is the text for the log.
func (e *PortError) Reason() string {
	if e.Protocol != "" {
		return e.Protocol + ", which is not expected here"
	}
	return fmt.Sprintf("%v: %q", e, e.Sent)
}

// protocols are what load balancers, browsers and scanners send first. None
// begins with a digit, so none is a port.
var protocols = []struct{ begin, name string }{
	{"PROXY ", "PROXY protocol header"},
	{"\r\n\r\n\x00\r\nQUIT\n", "PROXY protocol header (version 2)"},
	{"\x16\x03", "TLS handshake"},
	{"SSH-", "SSH greeting"},
	{"GET ", "HTTP request"}, {"HEAD ", "HTTP request"}, {"POST ", "HTTP request"}, {"OPTIONS ", "HTTP request"}, {"CONNECT ", "HTTP request"},
	{"PRI * HTTP/2", "HTTP request"},
}

// newPortError names the protocol that the connection begins with if its name
// has arrived in one piece: it is not worth waiting for.
func newPortError(sent, arrived []byte) *PortError {
	for _, p := range protocols {
		if bytes.HasPrefix(arrived, []byte(p.begin)) {
			return &PortError{sent, p.name}
		}
	}
	return &PortError{Sent: sent}
}

// maxDigits bounds the port with its leading zeros, in bytes: some clients pad
// it, and netkit and GNU take any number of them.
const maxDigits = 32

// ReadPort reads the first field: the port of the client's stderr connection,
// empty or 0 for none (rexecd(8), step 2). It consists of decimal digits only,
// at most 32 with leading zeros, and is at most 65535: a *PortError otherwise,
// as soon as it is certain. Nothing past its NUL is consumed.
func ReadPort(r Peeker) (int, error) {
	var sent [maxDigits + 1]byte // and their NUL
	port, n := 0, 0
	for {
		got, err := r.Peek(sent[n:])
		if err != nil {
			return 0, fieldError("stderr port", n, err)
		}
		arrived := sent[n : n+got]
		digits, next, ended := bytes.Cut(arrived, []byte{0})
		for i, c := range digits {
			port = port*10 + int(c) - '0'
			if c < '0' || c > '9' || port > 65535 {
				bad := newPortError(bytes.Clone(sent[:n+i+1]), arrived)
				clear(arrived)
				return 0, bad
			}
		}
		clear(next) // of the fields after it, perhaps the password
		n += len(digits)
		if n == len(sent) {
			return 0, &PortError{Sent: sent[:n]}
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
	// One allocation of the full size, so that growing leaves no copy in memory.
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

// fieldError names the field in which the stream failed, and how much of it had come.
func fieldError(name string, n int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read %s: connection closed after %d bytes of it: %w", name, n, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("read %s: %w", name, err)
}
