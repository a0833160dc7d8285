package wire

import (
	"bytes"
	"errors"
)

// ShellPort is the service "shell" of services(5), rsh's.
const ShellPort = 514

// ErrClientTooLong is the answer to a client's user name that is too long, as BSD's
// rshd words it.
var ErrClientTooLong = errors.New("remuser too long")

// An RshRequest is what a client of rsh(1) asks for. It differs from rexec's in its
// first two fields: who asks, as the client's host says, and who to be, to which a
// password may be added after a slash.
type RshRequest struct {
	Client string // the user at the client's host
	Request
	HasPassword bool // an empty one too; without, the account must trust Client
}

// ReadRshRequest reads the two user names and the command (in.rshd(8), step 4), and
// not one byte past the command's NUL. The name to be ends at its first slash, which
// no account's has; the rest is the password, as z/OS sends it. A field over its
// limit is one of ErrClientTooLong, ErrUserTooLong (the two together, too),
// ErrPasswordTooLong and ErrCommandTooLong; what was read by then is returned with the
// error, for the log.
func ReadRshRequest(r Peeker) (*RshRequest, error) {
	req := &RshRequest{}
	client, err := readField(r, "client's user name", nil, MaxUser, ErrClientTooLong)
	req.Client = string(client)
	if err != nil {
		return req, err
	}
	// One allocation of the full size, so that growing leaves no copy of the password.
	const most = MaxUser + len("/") + MaxPassword
	both, err := readField(r, "user name", make([]byte, 0, most+1), most, ErrUserTooLong)
	name, password, found := bytes.Cut(both, []byte("/"))
	req.User, req.Password, req.HasPassword = string(name[:min(len(name), MaxUser)]), password, found
	if !found {
		req.Password = make([]byte, 0, MaxPassword)
	}
	switch {
	case err != nil:
	case len(name) > MaxUser:
		err = ErrUserTooLong
	case len(password) > MaxPassword:
		err = ErrPasswordTooLong
	}
	if err != nil {
		req.Wipe()
		return req, err
	}
	command, err := readField(r, "command", nil, MaxCommand, ErrCommandTooLong)
	req.Command = string(command)
	return req, err
}
