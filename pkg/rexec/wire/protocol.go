// Package wire is the protocol of rexecd(8), byte by byte: what both ends need of
// it, and the reading of a request. It does no networking.
//
// A client connects to TCP port 512 and sends four fields, each ended by one
// NUL byte: the port of its stderr connection in decimal (or nothing), the
// user name, the password and the command. What follows is the command's
// standard input. The server answers on the same connection with one status
// byte: 0, after which the bytes are the command's, or 1, after which one line
// of text gives the reason.
package wire

import "errors"

// Port is the service "exec" of services(5).
const Port = 512

// Status bytes: the first byte the server sends on the primary connection.
const (
	StatusOK    = 0 // the command's output follows
	StatusError = 1 // one line of text follows, then the connection ends
)

// Limits of the fields in bytes, without their NUL.
const (
	MaxUser     = 256    // MKS and Solaris 11.4 take 256; BSD took 14, Debian's netkit 15
	MaxPassword = 511    // PAM_MAX_RESP_SIZE is 512 with its NUL
	MaxCommand  = 131071 // Linux's MAX_ARG_STRLEN is 131072 with its NUL
)

// A server's answers to a field that it cannot take, word for word: client
// libraries and scanners look for these texts.
var (
	ErrUserTooLong     = errors.New("username too long")
	ErrPasswordTooLong = errors.New("password too long")
	ErrCommandTooLong  = errors.New("command too long")
)
