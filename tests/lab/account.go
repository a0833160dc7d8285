package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// User is an account to be made. Empty fields are useradd's defaults.
type User struct {
	Name     string
	Password string // "" = an account with an empty password
	Hash     string // a literal field of shadow(5), such as "!", instead of a password
	Shell    string // "" = /bin/sh
	Home     string // "" = /home/NAME, made; anything else is not made
	Groups   string // supplementary groups, separated by commas
}

var accounts sync.Mutex // useradd locks, but gives up at once

// AddUser makes an account with useradd(8).
func AddUser(t testing.TB, u User) {
	t.Helper()
	hash := u.Hash
	if hash == "" && u.Password != "" {
		hash = Hash(t, u.Password)
	}
	shell := u.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	args := []string{"--badname", "-U", "-p", hash, "-s", shell}
	if u.Home == "" {
		args = append(args, "-m", "-k", "/var/empty/skel")
	} else {
		args = append(args, "-M", "-d", u.Home)
	}
	if u.Groups != "" {
		args = append(args, "-G", u.Groups)
	}
	Run(t, "useradd", append(args, u.Name)...)
}

// Hash returns a crypt(3) hash that is quick to check: $6$rounds=1000$ costs pam_unix a thirtieth
// of Debian's yescrypt.
func Hash(t testing.TB, password string) string {
	t.Helper()
	cmd := exec.Command("perl", "-e", `local $/; print crypt(<STDIN>, '$6$rounds=1000$rexeclab')`)
	cmd.Stdin = strings.NewReader(password)
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "$6$") {
		t.Fatalf("crypt: %q, %v", out, err)
	}
	return string(out)
}

// Run runs a command of the administrator's kind to its end, returns its standard output, and
// fails the test when it fails. useradd, chage and their like run one at a time.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	accounts.Lock()
	defer accounts.Unlock()
	var stderr strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return string(out)
}

// PAM writes /etc/pam.d/rexec for the whole private host. Tests that run at the same time give
// each Handler its own.
func PAM(stack string) error {
	if err := os.WriteFile("/etc/pam.d/rexec", []byte(stack), 0o644); err != nil {
		return fmt.Errorf("write service file: %w", err)
	}
	return nil
}

// Stack is pam_unix as most tests want it: the real module, the real shadow file, and no two
// seconds' sleep after a wrong password.
const Stack = `auth     required pam_unix.so nodelay
account  required pam_unix.so
session  required pam_permit.so
password required pam_deny.so
`

var accountNames atomic.Int64

// NewUser makes an account with a name and, unless one is given, a password that no other test
// has. Every such password begins with "Secret of".
func NewUser(t testing.TB, u User) User {
	t.Helper()
	u.Name = "user" + strconv.FormatInt(accountNames.Add(1), 10)
	if u.Password == "" {
		u.Password = "Secret of " + u.Name + "!"
	}
	AddUser(t, u)
	return u
}

// UID returns an account's number.
func UID(t testing.TB, u User) string {
	t.Helper()
	return strings.TrimSpace(Run(t, "id", "-u", u.Name))
}

// Request is the account's request for a command, without a stderr connection.
func (u User) Request(command string) Request {
	return Request{User: u.Name, Password: u.Password, Command: command}
}
