package systemd

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// prepareRsh installs rsh's programs beside rexec's, and has accounts trust other hosts.
func prepareRsh(t *testing.T) {
	t.Helper()
	prepareHost(t)
	lab.Run(t, "rm", "-f", "/usr/bin/rsh") // one of Debian's alternatives, in the place of ours
	lab.Run(t, "make", "-s", "-C", lab.Root(t), "install-rshd", "install-rsh", "PAMFAMILY=debian", "PREFIX=/usr")
	lab.Run(t, "cp", lab.Rshd(t), "/usr/sbin/in.rshd")
	lab.Run(t, "cp", lab.Rsh(t), "/usr/bin/rsh")
	lab.Run(t, "setcap", "cap_net_bind_service=ep", "/usr/bin/rsh")
	lab.Run(t, "sed", "-i", "s/^#\\(auth .*pam_rhosts.so\\)$/\\1/", "/etc/pam.d/rsh")
	setSettings(t, settings+"[rsh]\ntrust = true\n")
	if err := os.WriteFile("/home/alice/.rhosts", []byte("localhost alice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lab.Run(t, "chown", "alice", "/home/alice/.rhosts")
	t.Cleanup(func() { setSettings(t, settings) })
}

func TestRshsUnitsServeByBothRoads(t *testing.T) {
	prepareRsh(t)
	for _, unit := range []string{"rsh.socket", "rsh-standby.socket"} {
		t.Run(unit, func(t *testing.T) {
			if out, err := says("systemd-analyze", "verify", "/usr/lib/systemd/system/"+unit); err != nil || out != "" {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
			lab.Run(t, "systemctl", "enable", "--now", unit)
			t.Cleanup(func() {
				lab.Run(t, "systemctl", "disable", "--now", unit)
				says("systemctl", "stop", "rsh-standby.service")
				says("systemctl", "reset-failed")
			})
			const command = "id -un; echo err >&2"
			for _, c := range []struct {
				how  string
				args []string
			}{
				{"password", []string{"rsh", "-l", "alice/correct-horse", "127.0.0.1", command}},
				{"rhosts", []string{"runuser", "-u", "alice", "--", "rsh", "127.0.0.1", command}},
			} {
				var out, complaint strings.Builder
				cmd := exec.Command(c.args[0], c.args[1:]...)
				cmd.Stdout, cmd.Stderr = &out, &complaint
				if err := cmd.Run(); err != nil || out.String() != "alice\n" || complaint.String() != "err\n" {
					t.Errorf("by %s: %v, %q, %q", c.how, err, out.String(), complaint.String())
				}
				awaitEntry(t, "Accepted "+c.how+" for alice from 127.0.0.1", "SYSLOG_IDENTIFIER=in.rshd")
			}
			if unit != "rsh-standby.socket" {
				return
			}
			if out := lab.Run(t, "systemctl", "status", "rsh-standby.service"); !strings.Contains(out, "-zygote") {
				t.Errorf("no zygote among its processes:\n%s", out)
			}
		})
	}
}

// The shipped filter reads what in.rshd itself wrote.
func TestFail2banReadsRshsRecords(t *testing.T) {
	prepareRsh(t)
	lab.Run(t, "systemctl", "enable", "--now", "rsh.socket")
	t.Cleanup(func() { lab.Run(t, "systemctl", "disable", "--now", "rsh.socket"); says("systemctl", "reset-failed") })
	dir := lab.Deb(t, "fail2ban")
	lab.Run(t, "cp", "-r", dir+"/etc", dir+"/usr", "/")
	lab.Run(t, "cp", lab.Root(t)+"/packaging/fail2ban/filter.conf", "/etc/fail2ban/filter.d/rexecd.conf")
	c := lab.DialFrom(t, "127.0.0.77", "127.0.0.1:514")
	c.Write([]byte("\x00someone\x00alice/x\x00id\x00"))
	awaitEntry(t, "Failed password for alice", "REXEC_PEER=127.0.0.77", "SYSLOG_IDENTIFIER=in.rshd")
	c.Close()
	lab.Run(t, "runuser", "-u", "nobody", "--", "logger", "-t", "in.rshd", "Failed rhosts for root from 203.0.113.7 port 4 as root: x")
	awaitEntry(t, "203.0.113.7", "_UID=65534")
	cmd := exec.Command("fail2ban-regex", "-o", "ip", "systemd-journal", "/etc/fail2ban/filter.d/rexecd.conf")
	out, err := cmd.CombinedOutput()
	if found := strings.Fields(string(out)); !slices.Contains(found, "127.0.0.77") || slices.Contains(found, "203.0.113.7") {
		t.Errorf("fail2ban-regex systemd-journal: %v, %q; want 127.0.0.77 among the addresses", err, out)
	}
}
