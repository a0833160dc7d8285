package main

import (
	"cmp"
	"strings"

	"rexecd/pkg/rexec"
	"rexecd/pkg/settings"
)

// settingsFile holds the administrator's rules for all users of the machine. No
// environment variable and no option bypasses it.
const settingsFile = "/etc/rexec.toml"

// complete fills in from the settings what the command line left open.
func (o *options) complete(set *settings.Client) {
	o.connectTimeout = cmp.Or(o.connectTimeout, set.ConnectTimeout)
	o.timeout = cmp.Or(o.timeout, set.Timeout)
	o.stderrTimeout = set.StderrTimeout
	o.stderrPorts = cmp.Or(o.stderrPorts, rexec.PortRange(set.StderrPorts))
	if o.stderrFrom == nil {
		o.stderrFrom = set.StderrFromOf(strings.TrimSuffix(strings.TrimPrefix(o.host, "["), "]"))
	}
	if !o.hasStderr {
		o.stderr = map[settings.StderrMode]rexec.StderrMode{
			settings.StderrYes: rexec.StderrYes, settings.StderrNo: rexec.StderrNo,
			settings.StderrAuto: rexec.StderrAuto,
		}[set.Stderr]
	}
}
