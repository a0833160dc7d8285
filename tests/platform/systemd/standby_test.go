package systemd

import (
	"testing"

	"rexecd/tests/lab"
)

// Restarts, as by upgrades, with a mistake in the settings: the port stays open, and the mend is enough.
func TestAMistakeInTheSettingsDoesNotFailTheStandbyService(t *testing.T) {
	prepareHost(t)
	lab.Run(t, "systemctl", "enable", "--now", "rexec-standby.socket")
	t.Cleanup(func() {
		setSettings(t, settings)
		lab.Run(t, "systemctl", "disable", "--now", "rexec-standby.socket")
		says("systemctl", "stop", "rexec-standby.service")
		says("systemctl", "reset-failed")
	})
	setSettings(t, "grace = \"never\"\n"+settings)
	for range 8 {
		lab.Run(t, "systemctl", "restart", "rexec-standby.service")
	}
	if a := ask(t, "echo no"); string(a.All) != "\x01Try again.\n" {
		t.Errorf("with the mistake: %v", a)
	}
	awaitEntry(t, "/etc/rexecd.toml:1:", "SYSLOG_IDENTIFIER=in.rexecd")
	setSettings(t, settings)
	if a := ask(t, "echo mended"); string(a.All) != "\x00mended\n" {
		t.Errorf("after the mend: %v", a)
	}
	for _, unit := range []string{"rexec-standby.service", "rexec-standby.socket"} {
		if state, _ := says("systemctl", "is-active", unit); state != "active" {
			t.Errorf("%s is %s", unit, state)
		}
	}
}
