package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rexecd/pkg/settings"
)

// A capability is one that the server uses, and what fails without it.
type capability struct {
	bit     uint
	without string
	needed  func() bool // whether a login needs it on this host; nil: no, and containers rarely have it
}

var capabilities = []capability{
	{unix.CAP_SETGID, "nobody but the user who started it can be served", always},
	{unix.CAP_SETUID, "nobody but the user who started it can be served", always},
	{unix.CAP_DAC_READ_SEARCH, "pam_unix can read /etc/shadow only as its mode permits", shadowIsClosed},
	{unix.CAP_SYS_RESOURCE, "pam_limits cannot raise limits", nil},
	{unix.CAP_AUDIT_WRITE, "PAM cannot write audit records", nil},
	{unix.CAP_AUDIT_CONTROL, "pam_loginuid cannot change a login uid", loginUIDIsInTheWay},
	{unix.CAP_KILL, "a command is not told when this server is stopped", nil},
}

func always() bool { return true }

// shadowIsClosed reports whether root cannot read the passwords: Fedora's file has
// mode 0.
func shadowIsClosed() bool {
	f, err := os.Open("/etc/shadow")
	f.Close()
	return errors.Is(err, fs.ErrPermission)
}

// loginUIDIsInTheWay reports whether pam_loginuid would fail, and the login with
// it: the kernel needs no capability to set a login uid that nobody has set. The
// server's is that of who listens, or of process 1 while nobody does.
func loginUIDIsInTheWay() bool {
	if path := pamFile(service); path == "" || !readStack(path, 0).requires("session", "pam_loginuid.so") {
		return false
	}
	pid := 1
	for _, l := range listeners(execPort) {
		pid = max(pid, l.pid)
	}
	uid := strings.TrimSpace(contents("/proc/" + strconv.Itoa(pid) + "/loginuid"))
	return uid != "" && uid != "4294967295"
}

// checkRights looks at what this process may do, in place of the server.
func checkRights() []finding {
	const about = topic("privileges")
	effective, err := effectiveCapabilities()
	if err != nil {
		return []finding{about.fail("%v", err)}
	}
	var found []finding
	for _, c := range capabilities {
		switch {
		case effective&(1<<c.bit) != 0:
		case c.needed != nil && c.needed():
			found = append(found, about.fail("%v", c))
		default:
			found = append(found, about.note("%v; logins do not need it here", c))
		}
	}
	switch {
	case os.Geteuid() != 0:
		found = append(found, about.fail("%s", withoutRoot()))
	case found == nil:
		found = append(found, about.ok("root with every capability that is used"))
	}
	return found
}

func (c capability) String() string {
	return fmt.Sprintf("capability %s is missing: %s", settings.CapabilityNames[c.bit], c.without)
}

func withoutRoot() string {
	return fmt.Sprintf("without root, only the invoking user (uid %d) is served, with no PAM session; start it as root to serve everybody", os.Geteuid())
}

// missingCapabilities says which capabilities this process lacks, and what follows.
func missingCapabilities() []string {
	effective, err := effectiveCapabilities()
	if err != nil {
		return []string{err.Error()}
	}
	var missing []string
	for _, c := range capabilities {
		if effective&(1<<c.bit) == 0 {
			missing = append(missing, c.String())
		}
	}
	if os.Geteuid() != 0 {
		missing = append(missing, withoutRoot())
	}
	return missing
}

func effectiveCapabilities() (uint64, error) {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		var set uint64
		if n, _ := fmt.Sscanf(line, "CapEff:\t%x", &set); n == 1 {
			return set, nil
		}
	}
	return 0, fmt.Errorf("read capabilities: %w", io.ErrUnexpectedEOF)
}
