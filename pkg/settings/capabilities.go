package settings

import (
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// AllCapabilities is the set of those that the server was started with.
const AllCapabilities = ^uint64(0)

// CapabilityNames are those of capabilities(7), each at its number.
var CapabilityNames = [...]string{
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill",
	"cap_setgid", "cap_setuid", "cap_setpcap", "cap_linux_immutable", "cap_net_bind_service",
	"cap_net_broadcast", "cap_net_admin", "cap_net_raw", "cap_ipc_lock", "cap_ipc_owner",
	"cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace", "cap_sys_pacct",
	"cap_sys_admin", "cap_sys_boot", "cap_sys_nice", "cap_sys_resource", "cap_sys_time",
	"cap_sys_tty_config", "cap_mknod", "cap_lease", "cap_audit_write", "cap_audit_control",
	"cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm",
	"cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
}

// A capabilitiesValue is a set of capabilities.
type capabilitiesValue struct{ field *uint64 }

func (v capabilitiesValue) set(n *unstable.Node) *unstable.Node {
	if n.Kind == unstable.String && string(n.Data) == "all" {
		*v.field = AllCapabilities
		return nil
	}
	var set uint64
	wrong := setList(n, func(name string) bool {
		bit := slices.Index(CapabilityNames[:], name)
		if bit < 0 {
			return false
		}
		set |= 1 << bit
		return true
	})
	if wrong == nil {
		*v.field = set
	}
	return wrong
}

func (capabilitiesValue) allowed() string {
	return `"all" or a list of capabilities, which are ` + strings.Join(CapabilityNames[:], ", ")
}

func (v capabilitiesValue) String() string {
	if *v.field == AllCapabilities {
		return `"all"`
	}
	var names []string
	for bit, name := range CapabilityNames {
		if *v.field&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return formatList(names)
}
