package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rexecd/pkg/rexecd"
	"rexecd/pkg/session"
)

// capabilityNames are those of capabilities(7), each at its number.
var capabilityNames = [unix.CAP_LAST_CAP + 1]string{
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid", "cap_setuid",
	"cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin", "cap_net_raw", "cap_ipc_lock",
	"cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin",
	"cap_sys_boot", "cap_sys_nice", "cap_sys_resource", "cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease",
	"cap_audit_write", "cap_audit_control", "cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm",
	"cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
}

// keepCapabilities is the setting of that name.
func keepCapabilities(s *rexecd.Config, v any) bool {
	if v == "all" {
		return true
	}
	names, ok := v.([]any)
	var keep session.Capabilities
	for _, v := range names {
		name, _ := v.(string)
		n := slices.Index(capabilityNames[:], name)
		if n < 0 {
			return false
		}
		keep |= 1 << n
	}
	s.KeepCapabilities = &keep
	return ok
}

// A capability is one that the server uses, and what fails without it.
type capability struct {
	bit     uint
	name    string
	without string
}

var capabilities = []capability{
	{unix.CAP_SETGID, capabilityNames[unix.CAP_SETGID], "nobody but the user who started it can be served"},
	{unix.CAP_SETUID, capabilityNames[unix.CAP_SETUID], "nobody but the user who started it can be served"},
	{unix.CAP_DAC_READ_SEARCH, capabilityNames[unix.CAP_DAC_READ_SEARCH], "pam_unix cannot read /etc/shadow by itself"},
	{unix.CAP_SYS_RESOURCE, capabilityNames[unix.CAP_SYS_RESOURCE], "pam_limits cannot raise limits"},
	{unix.CAP_AUDIT_WRITE, capabilityNames[unix.CAP_AUDIT_WRITE], "PAM cannot write audit records"},
	{unix.CAP_AUDIT_CONTROL, capabilityNames[unix.CAP_AUDIT_CONTROL], "pam_loginuid cannot set the login uid"},
	{unix.CAP_KILL, capabilityNames[unix.CAP_KILL], "a command is not told when this server is stopped"},
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
			missing = append(missing, fmt.Sprintf("capability %s is missing: %s", c.name, c.without))
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
