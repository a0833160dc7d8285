package deb

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// rshOf tells our in.rshd, which takes a password after a slash, from netkit's.
func rshOf(t *testing.T, who, when string) {
	t.Helper()
	lab.Eventually(t, who+" on port 514 "+when, func() bool {
		out, _ := exec.Command("rexecd-rsh", "-l", "dora/correct-horse", "127.0.0.1", "id -un").CombinedOutput()
		if (string(out) == "dora\n") != (who == "rshd") {
			return false
		}
		out, _ = exec.Command("runuser", "-u", "dora", "--", "rexecd-rsh", "127.0.0.1", "id -un").CombinedOutput()
		return string(out) == "dora\n"
	})
}

const (
	theirShell  = "\nshell\t\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/in.rshd\n"
	rhostsStack = "auth sufficient pam_rhosts.so\n"
)

var (
	rshAside = []string{"/usr/sbin/in.rshd.other", "/usr/share/man/man8/in.rshd.other.8.gz", "/etc/pam.d/rsh.other"}
	// Beside rsh-client, which is on the host for pdsh.
	theirs = []string{"update-inetd", "tcpd", "openbsd-inetd", "rsh-server"}
)

func TestRshsPackagesBesideNetkits(t *testing.T) {
	lab.AddUser(t, lab.User{Name: "dora", Password: "correct-horse"})
	if err := os.WriteFile("/home/dora/.rhosts", []byte("127.0.0.1 dora\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lab.Run(t, "chown", "dora", "/home/dora/.rhosts")
	before := files(t)
	var debs []string
	for _, name := range theirs {
		debs = append(debs, debian(t, name))
	}
	dpkg(t, append([]string{"-i"}, debs...)...)
	dpkg(t, "-i", built(t, "rsh"))

	// The name is an alternative, ours the best; the right is a capability, and no set-user-ID bit.
	if to := says("readlink", "-f", "/usr/bin/rsh"); to != "/usr/bin/rexecd-rsh" {
		t.Errorf("rsh is %s", to)
	}
	if caps := says("getcap", "/usr/bin/rexecd-rsh"); caps != "/usr/bin/rexecd-rsh cap_net_bind_service=ep" {
		t.Errorf("its capabilities: %q", caps)
	}
	if mode := says("stat", "-c", "%a", "/usr/bin/rexecd-rsh"); mode != "755" {
		t.Errorf("its mode is %s", mode)
	}
	lab.Run(t, "systemctl", "restart", "inetd")
	rshOf(t, "netkit", "before rshd")

	dpkg(t, "-i", built(t, "rexecd"), built(t, "rshd"))
	if out := says("systemctl", "is-enabled", "rsh.socket"); out != "disabled" {
		t.Errorf("after installation rsh.socket is %q", out)
	}
	contains(t, "after installation", "/etc/inetd.conf", theirShell)
	contains(t, "after installation", "/etc/pam.d/rsh", "PAM stack of in.rshd(8)")
	contains(t, "after installation", "/etc/pam.d/rsh.other", "pam_rhosts.so")
	intact(t, "after installation", "rexecd", "rshd", "rsh", "rsh-server", "rsh-client")
	trust(t)
	rshOf(t, "rshd", "after installation")

	t.Run("under systemd", func(t *testing.T) {
		lab.Run(t, "update-inetd", "--disable", "shell")
		lab.Run(t, "rexecd", "-install", "rsh")
		rshOf(t, "rshd", "from systemd")
		lab.Run(t, "systemctl", "disable", "--now", "rsh.socket")
		lab.Run(t, "systemctl", "enable", "--now", "rsh-standby.socket")
		rshOf(t, "rshd", "with processes kept ready")
		dpkg(t, "--force-confold", "-i", built(t, "rshd"))
		rshOf(t, "rshd", "after an upgrade")
		lab.Run(t, "rexecd", "-remove", "rsh")
		lab.Run(t, "update-inetd", "--enable", "shell")
	})

	t.Run("removal", func(t *testing.T) {
		dpkg(t, "-r", "rshd")
		contains(t, "after removal", "/etc/inetd.conf", theirShell)
		if out := says("systemctl", "list-unit-files", "--no-legend", "rsh*"); out != "" {
			t.Errorf("units after removal: %s", out)
		}
		dpkg(t, "-P", "rshd")
		contains(t, "after purge", "/etc/pam.d/rsh", "pam_rhosts.so")
		rshOf(t, "netkit", "after purge")
		intact(t, "after purge", "rsh-server")
		gone(t, "after purge", rshAside...)
		if out := says("dpkg-divert", "--list", "*rsh*"); out != "" {
			t.Errorf("diversions after purge: %s", out)
		}
		dpkg(t, "-r", "rsh")
		if to := says("readlink", "-f", "/usr/bin/rsh"); to != "/usr/bin/netkit-rsh" {
			t.Errorf("without ours rsh is %s", to)
		}
		os.Remove("/etc/rexecd.toml.d/rsh.toml")
		dpkg(t, append([]string{"-P", "rsh", "rexecd"}, theirs...)...)
		if left := added(before, files(t)); len(left) != 0 {
			t.Errorf("left after purge:\n%s", strings.Join(left, "\n"))
		}
	})
}

// trust lets accounts trust other hosts, as the administrator would.
func trust(t *testing.T) {
	t.Helper()
	stack, err := os.ReadFile("/etc/pam.d/rsh")
	if err == nil {
		err = os.WriteFile("/etc/pam.d/rsh", append([]byte(rhostsStack), stack...), 0o644)
	}
	if err == nil {
		err = os.WriteFile("/etc/rexecd.toml.d/rsh.toml", []byte("[rsh]\ntrust = true\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
