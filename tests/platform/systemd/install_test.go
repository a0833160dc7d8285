package systemd

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func expect(t *testing.T, status int, want string, args ...string) {
	t.Helper()
	cmd := exec.Command("rexecd", args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status || !strings.Contains(string(out), want) {
		t.Errorf("rexecd %s: exit status %d, %q; want %d, %q", strings.Join(args, " "), got, out, status, want)
	}
}

func TestInstallAndRemoveThroughSystemd(t *testing.T) {
	prepareHost(t)
	expect(t, 0, "enabled and started rexec.socket", "-install")
	if out, _ := says("systemctl", "is-enabled", "rexec.socket"); out != "enabled" {
		t.Errorf("rexec.socket is %s", out)
	}
	if a := ask(t, "echo installed"); a.Out() != "installed\n" {
		t.Errorf("%v", a)
	}
	if out, _ := says("rexecd", "-check"); !strings.Contains(out, "ok   systemd: rexec.socket is enabled and listens\n") ||
		!strings.Contains(out, "ok   port 512: systemd (process 1) listens\n") || !strings.Contains(out, "ok   log: journald") {
		t.Errorf("rexecd -check:\n%s", out)
	}
	expect(t, 0, "nothing to do: rexec.socket is enabled", "-install")
	expect(t, 0, "stopped and disabled rexec.socket", "-remove")
	if out, _ := says("systemctl", "is-enabled", "rexec.socket"); out != "disabled" {
		t.Errorf("after -remove rexec.socket is %s", out)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("port 512 is open after -remove")
	}
	expect(t, 0, "nothing to do", "-remove")
}

func TestMakeUninstallEndsTheServiceFirst(t *testing.T) {
	prepareHost(t)
	defer setSettings(t, settings)
	defer install(t)
	catalog := func() string { out, _ := says("journalctl", "--list-catalog"); return out }
	if !strings.Contains(catalog(), "rexec") {
		t.Error("make install left the catalog as it was")
	}
	expect(t, 0, "enabled and started rexec.socket", "-install")
	out := lab.Run(t, "make", "-s", "-C", lab.Root(t), "uninstall", "PAMFAMILY=debian")
	if !strings.Contains(out, "stopped and disabled rexec.socket") {
		t.Errorf("make uninstall says %q", out)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("port 512 is open after make uninstall")
	}
	if out, _ := says("systemctl", "list-unit-files", "--no-legend", "rexec*"); out != "" {
		t.Errorf("units after make uninstall: %s", out)
	}
	if strings.Contains(catalog(), "rexec") {
		t.Error("make uninstall left the catalog as it was")
	}
}

func TestInstallRefusesWhenThePortIsTaken(t *testing.T) {
	prepareHost(t)
	other, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	expect(t, 1, "port 512 is taken by systemd.test (process ", "-install")
	if out, _ := says("systemctl", "is-enabled", "rexec.socket"); out != "disabled" {
		t.Errorf("rexec.socket is %s", out)
	}
}

// The change-over in rexecd(8), and -remove for either.
func TestStandbyUnderSystemd(t *testing.T) {
	prepareHost(t)
	lab.Run(t, "systemctl", "enable", "--now", "rexec-standby.socket")
	a := lab.Open(t, addr, "alice", "correct-horse", "echo standby; echo err >&2; cat /proc/self/cgroup").Started(t).Rest(t)
	if !strings.HasPrefix(string(a.All), "standby\n") || string(a.Stderr) != "err\n" {
		t.Errorf("%v", a)
	}
	lab.Run(t, "systemctl", "reload", "rexec-standby.service")
	if a := ask(t, "echo reloaded"); a.Out() != "reloaded\n" {
		t.Errorf("after reload: %v", a)
	}
	running := lab.Open(t, addr, "alice", "correct-horse", "echo running; cat; echo ended").Started(t)
	if line := running.Line(t); line != "running" {
		t.Fatalf("%q", line)
	}
	expect(t, 0, "nothing to do: rexec-standby.socket is enabled", "-install")
	expect(t, 0, "stopped and disabled rexec-standby.socket", "-remove")
	lab.Run(t, "systemctl", "stop", "rexec-standby.service")
	if a := running.Rest(t); string(a.All) != "ended\n" {
		t.Errorf("the running command after the stop: %v; want it to go on to its end", a)
	}
	if _, err := os.Stat("/etc/systemd/system/sockets.target.wants/rexec-standby.socket"); err == nil {
		t.Error("-remove left rexec-standby.socket enabled")
	}
}
