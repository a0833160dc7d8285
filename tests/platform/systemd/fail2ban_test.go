package systemd

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// The shipped jail reads the journal.
func TestFail2banReadsTheJournal(t *testing.T) {
	enable(t)
	// Into the private host: on the machine itself its daemon would start.
	dir := lab.Deb(t, "fail2ban")
	lab.Run(t, "cp", "-r", dir+"/etc", dir+"/usr", "/")
	lab.Run(t, "cp", lab.Root(t)+"/packaging/fail2ban/filter.conf", "/etc/fail2ban/filter.d/rexecd.conf")
	lab.Ask(t, "[::1]:512", lab.Request{User: "dave from 10.9.8.7 port 22: x", Password: "x", Command: "id"})
	awaitEntry(t, "Failed password for invalid user", "REXEC_PEER=::1")
	// Every user can write what looks like the server's.
	lab.Run(t, "runuser", "-u", "nobody", "--", "logger", "-t", "in.rexecd", "Failed password for root from 203.0.113.5 port 4: x")
	awaitEntry(t, "203.0.113.5", "_UID=65534")
	cmd := exec.Command("fail2ban-regex", "-o", "ip", "systemd-journal", "/etc/fail2ban/filter.d/rexecd.conf")
	out, err := cmd.CombinedOutput()
	found := strings.Fields(string(out))
	if !slices.Contains(found, "::1") || slices.Contains(found, "10.9.8.7") || slices.Contains(found, "203.0.113.5") {
		t.Errorf("fail2ban-regex systemd-journal: %v, %q; want ::1 among the addresses", err, out)
	}
}
