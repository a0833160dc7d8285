package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"rexecd/pkg/settings"
)

// A capability is one that the server uses, and what fails without it.
type capability struct {
	bit     uint
	without string
}

var capabilities = []capability{
	{unix.CAP_SETGID, "nobody but the user who started it can be served"},
	{unix.CAP_SETUID, "nobody but the user who started it can be served"},
	{unix.CAP_DAC_READ_SEARCH, "pam_unix cannot read /etc/shadow by itself"},
	{unix.CAP_SYS_RESOURCE, "pam_limits cannot raise limits"},
	{unix.CAP_AUDIT_WRITE, "PAM cannot write audit records"},
	{unix.CAP_AUDIT_CONTROL, "pam_loginuid cannot set the login uid"},
	{unix.CAP_KILL, "a command is not told when this server is stopped"},
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
			missing = append(missing, fmt.Sprintf("capability %s is missing: %s", settings.CapabilityNames[c.bit], c.without))
		}
	}
	if os.Geteuid() != 0 {
		missing = append(missing, fmt.Sprintf("without root, only the invoking user (uid %d) is served, with no PAM session; start it as root to serve everybody", os.Geteuid()))
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
