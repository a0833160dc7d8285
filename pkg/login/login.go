// Package login is one PAM transaction from its start to its end: authenticate
// the user, check the account, open the session, close it again.
//
// Every method must be called on the first thread of the process: pam_loginuid
// is refused on any other, and session keyrings, namespaces and SELinux's exec
// context belong to the thread that made them and are inherited from it.
package login

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"unsafe"

	"github.com/msteinert/pam/v2"
)

// Config selects the PAM stack.
type Config struct {
	Service string // the file in /etc/pam.d
	ConfDir string // another directory than /etc/pam.d; for tests
}

// A Login is the transaction, and remembers what it opened: Close undoes that,
// whatever it is.
type Login struct {
	// Renamed decides about a module that changes PAM_USER. It is called after
	// pam_authenticate, pam_acct_mgmt or the session's opening with the new
	// name, and returns nil if that is only another spelling of the user's own:
	// pam_winbind and pam_sss write the canonical name back. An error refuses
	// the login, and so does a Renamed that is nil. The name is whatever the
	// module made of what the peer sent, and as hostile; the account that it
	// belongs to must be looked up and compared, both its name and its user ID
	// (two accounts may share an ID, and have different groups and limits).
	Renamed func(name string) error

	// MustAsk has Authenticate fail if no module asked for the password: a stack
	// that lets somebody in without (pam_rhosts) is meant for Trust.
	MustAsk bool

	tx       *pam.Transaction
	service  string
	password []byte   // answer to the one prompt without echo; nil once given
	user     string   // PAM_USER, and the answer to a prompt with echo
	messages []string // the modules' messages during the current call
	creds    bool     // setcred has been tried
	session  bool     // open_session has been tried
}

// Limits of the messages that are kept.
const (
	maxMessages = 8
	maxMessage  = 256 // bytes
)

// An Error is a PAM call that did not succeed.
type Error struct {
	Call    string // "authenticate", "acct_mgmt", …
	Status  error  // PAM's own status
	Message string // the line that a module sent the user about it, if any
}

func (e *Error) Error() string {
	if e.Message != "" {
		return fmt.Sprintf("pam_%s: %v (%q)", e.Call, e.Status, e.Message)
	}
	return fmt.Sprintf("pam_%s: %v", e.Call, e.Status)
}

func (e *Error) Unwrap() error { return e.Status }

// PasswordExpired reports whether only a new password would let the user in.
func (e *Error) PasswordExpired() bool {
	return errors.Is(e.Status, pam.ErrNewAuthtokReqd) || errors.Is(e.Status, pam.ErrAuthtokExpired)
}

// AccountExpired reports whether the account itself has expired.
func (e *Error) AccountExpired() bool { return errors.Is(e.Status, pam.ErrAcctExpired) }

// Start begins a transaction, which loads the stack's modules. It needs to know
// nothing of the peer, so it may come before there is one.
func Start(c Config) (*Login, error) {
	l := &Login{service: c.Service}
	var err error
	if c.ConfDir != "" {
		l.tx, err = pam.StartConfDir(c.Service, "", l, c.ConfDir)
	} else {
		l.tx, err = pam.Start(c.Service, "", l)
	}
	if err != nil {
		return nil, &Error{Call: "start", Status: err}
	}
	if err := l.takeDelay(); err != nil {
		l.Close()
		return nil, &Error{Call: "set_item", Status: err}
	}
	return l, nil
}

// RespondPAM is the conversation. Nobody can be asked: the one prompt without
// echo gets the password, a prompt with echo the user name, and the modules'
// messages are kept. Anything else is an error, a second password prompt too.
func (l *Login) RespondPAM(style pam.Style, msg string) (string, error) {
	switch style {
	case pam.PromptEchoOff:
		if l.password == nil {
			return "", errors.New("no answer to a second prompt")
		}
		// Not a copy: the binding makes the one that PAM wipes and frees.
		answer := unsafe.String(unsafe.SliceData(l.password), len(l.password))
		l.password = nil
		return answer, nil
	case pam.PromptEchoOn:
		return l.user, nil
	case pam.ErrorMsg, pam.TextInfo:
		if len(l.messages) < maxMessages {
			l.messages = append(l.messages, strings.ToValidUTF8(msg[:min(len(msg), maxMessage)], "?"))
		}
		return "", nil
	}
	return "", fmt.Errorf("no answer to a prompt of style %d", style)
}

// Authenticate proves that a user at a peer's numeric address knows the
// password, which is read while the call runs and not kept. nullok lets an
// account without a password in.
func (l *Login) Authenticate(rhost, user string, password []byte, nullok bool) error {
	if err := l.Identify(rhost, user); err != nil {
		return err
	}
	if password == nil {
		password = []byte{}
	}
	l.password = password
	defer func() { l.password = nil }()
	flags := pam.DisallowNullAuthtok
	if nullok {
		flags = 0
	}
	if err := l.call("authenticate", l.tx.Authenticate, flags); err != nil {
		return err
	}
	if l.MustAsk && l.password != nil {
		return errors.New("no PAM module asked for the password")
	}
	return l.sameUser()
}

// Identify says who the user at a peer's numeric address is: Account and Open may
// follow where somebody else has proven it.
func (l *Login) Identify(rhost, user string) error {
	for _, item := range []struct {
		name  pam.Item
		value string
	}{
		{pam.Rhost, rhost},
		// A service name as terminal, as sshd and cron do: pam_access and
		// pam_time match on it, and there is no terminal.
		{pam.Tty, l.service},
		{pam.User, user},
	} {
		if err := l.tx.SetItem(item.name, item.value); err != nil {
			return &Error{Call: "set_item", Status: err}
		}
	}
	l.user = user
	return nil
}

// sameUser returns an error if a module has mapped the user to another account:
// the passwd entry, the log and the server's own checks are about the first.
func (l *Login) sameUser() error {
	now, err := l.tx.GetItem(pam.User)
	switch {
	case err != nil:
		return &Error{Call: "get_item", Status: err}
	case now == l.user:
		return nil
	case l.Renamed == nil:
		return fmt.Errorf("a PAM module changed the user to %q", now)
	}
	if err := l.Renamed(now); err != nil {
		return fmt.Errorf("a PAM module changed the user to %q: %w", now, err)
	}
	l.user = now
	return nil
}

// Account checks whether the authenticated user may log in here and now.
func (l *Login) Account(nullok bool) error {
	flags := pam.DisallowNullAuthtok
	if nullok {
		flags = 0
	}
	if err := l.call("acct_mgmt", l.tx.AcctMgmt, flags); err != nil {
		return err
	}
	return l.sameUser()
}

// Open establishes the credentials and opens the session. The caller has set
// the process's groups before, because pam_group adds to them.
func (l *Login) Open() error {
	// For modules that look at it (pam_systemd): not a user at a terminal, who
	// would be warned of shutdowns and counted as idle.
	if err := l.tx.PutEnv("XDG_SESSION_CLASS=background"); err != nil {
		return &Error{Call: "putenv", Status: err}
	}
	l.creds = true
	if err := l.call("setcred", l.tx.SetCred, pam.EstablishCred); err != nil {
		return err
	}
	l.session = true // also if it fails: modules before the failing one did open theirs
	if err := l.call("open_session", l.tx.OpenSession, 0); err != nil {
		return err
	}
	if l.tx.GetEnv("XDG_SESSION_ID") == "" { // no pam_systemd: the hint is not for the command
		_ = l.tx.PutEnv("XDG_SESSION_CLASS") // fails where a module has done the same
	}
	// login(1) and su(1) do the same: the session may have given the credentials a place to live.
	if err := l.call("setcred", l.tx.SetCred, pam.ReinitializeCred); err != nil {
		return err
	}
	return l.sameUser()
}

// Env is PAM's environment, sorted, as NAME=value; none of a login that is nil.
func (l *Login) Env() ([]string, error) {
	if l == nil {
		return nil, nil
	}
	vars, err := l.tx.GetEnvList()
	if err != nil {
		return nil, &Error{Call: "getenvlist", Status: err}
	}
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	sort.Strings(env)
	return env, nil
}

// Close closes the session, deletes the credentials and ends the transaction,
// as far as each was begun. Closing again, or a login that is nil, does nothing.
func (l *Login) Close() error {
	if l == nil {
		return nil
	}
	var err error
	if l.session {
		l.session = false
		err = l.call("close_session", l.tx.CloseSession, 0)
	}
	if l.creds {
		l.creds = false
		err = errors.Join(err, l.call("setcred", l.tx.SetCred, pam.DeleteCred))
	}
	if l.tx != nil {
		if e := l.tx.End(); e != nil {
			err = errors.Join(err, &Error{Call: "end", Status: e})
		}
		l.tx = nil
	}
	return err
}

// call runs one PAM function and keeps the messages that its modules send.
func (l *Login) call(name string, f func(pam.Flags) error, flags pam.Flags) error {
	l.messages = nil
	if err := f(flags); err != nil {
		return &Error{Call: name, Status: err, Message: firstLine(l.messages)}
	}
	return nil
}

// firstLine returns the first line of the messages that is not empty, without
// control characters.
func firstLine(messages []string) string {
	for _, m := range messages {
		for line := range strings.Lines(m) {
			line = strings.Map(func(r rune) rune {
				if r < ' ' || r >= 0x7f && r < 0xa0 {
					return -1
				}
				return r
			}, line)
			if line = strings.TrimSpace(line); line != "" {
				return line
			}
		}
	}
	return ""
}
