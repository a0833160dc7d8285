package systemd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

const socketUnit, standbyUnit = "rexec.socket", "rexec-standby.socket"

// sweep puts both sockets back to how they are shipped when the test ends.
func sweep(t *testing.T) {
	t.Helper()
	prepareHost(t)
	t.Cleanup(func() {
		says("systemctl", "disable", "--now", socketUnit, standbyUnit)
		says("systemctl", "stop", "rexec-standby.service")
		says("systemctl", "reset-failed")
	})
}

// state is what -install must not change where it says so.
func state() string {
	var all []string
	for _, unit := range []string{socketUnit, standbyUnit} {
		enabled, _ := says("systemctl", "is-enabled", unit)
		active, _ := says("systemctl", "is-active", unit)
		all = append(all, unit, enabled, active)
	}
	return strings.Join(all, " ")
}

func wantState(t *testing.T, want string) {
	t.Helper()
	if got := state(); got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
}

// Two that want one port: which of them gets it at the next boot is not settled.
func TestTwoEnabledSocketsAreNamedAndLeftAlone(t *testing.T) {
	sweep(t)
	lab.Run(t, "systemctl", "enable", socketUnit)
	lab.Run(t, "systemctl", "enable", "--now", standbyUnit)
	before := state()
	expect(t, 1, "FAIL start: rexec.socket, rexec-standby.socket all want port 512, and one gets it: switch the others off", "-check")
	expect(t, 0, "nothing to do: rexec-standby.socket is enabled and listens on port 512\nrexec.socket is enabled as well", "-install")
	wantState(t, before)
	lab.Run(t, "systemctl", "start", socketUnit) // which stops the other
	before = state()
	expect(t, 0, "nothing to do: rexec.socket is enabled and listens on port 512\nrexec-standby.socket is enabled as well", "-install")
	wantState(t, before)
}

// -install is not asked to change over from one to the other.
func TestInstallDoesNotTakeThePlaceOfTheStandbySocket(t *testing.T) {
	sweep(t)
	lab.Run(t, "systemctl", "start", standbyUnit)
	before := state()
	expect(t, 1, "rexec-standby.socket listens, but is not enabled: systemctl enable rexec-standby.socket starts it at boot; or systemctl disable --now", "-install")
	wantState(t, before)
	expect(t, 0, "stopped and disabled rexec-standby.socket", "-remove")
	lab.Run(t, "systemctl", "enable", standbyUnit)
	before = state()
	expect(t, 1, "rexec-standby.socket is enabled, but does not listen: systemctl start rexec-standby.socket; or", "-install")
	wantState(t, before)
	expect(t, 1, "FAIL systemd: rexec-standby.socket is enabled and does not listen", "-check")
}

func TestInstallLeavesAnXinetdThatServesAlready(t *testing.T) {
	sweep(t)
	put(t, "/etc/xinetd.d/rexec", "service exec\n{\n\tsocket_type = stream\n\tprotocol = tcp\n\twait = no\n\tuser = root\n\tserver = /usr/sbin/in.rexecd\n}\n")
	put(t, "/etc/xinetd.conf", "includedir /etc/xinetd.d\n")
	xinetd := exec.Command(lab.Deb(t, "xinetd")+"/usr/sbin/xinetd", "-dontfork", "-stayalive", "-pidfile", t.TempDir()+"/pid", "-f", "/etc/xinetd.conf")
	if err := xinetd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { xinetd.Process.Kill(); xinetd.Wait() }
	t.Cleanup(stop)
	lab.Eventually(t, "xinetd on port 512", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	before := state()
	expect(t, 0, "nothing to do: xinetd listens on port 512 and starts /usr/sbin/in.rexecd (/etc/xinetd.d/rexec); to change over to rexec.socket, run rexecd -remove first\n", "-install")
	wantState(t, before)
	if out, _ := says("rexecd", "-check"); !strings.Contains(out, "ok   port 512: xinetd (process ") || !strings.Contains(out, "ok   xinetd: /etc/xinetd.d/rexec is in place") {
		t.Errorf("rexecd -check:\n%s", out)
	}
	stop()
	// Stopped, it wants the port again at its next start: that is said, and its entry is the
	// administrator's.
	expect(t, 0, "/etc/xinetd.d/rexec is set to start /usr/sbin/in.rexecd on the same port: take it out, or xinetd and systemd compete for it at the next boot\n", "-install")
	if text, err := os.ReadFile("/etc/xinetd.d/rexec"); err != nil || strings.Contains(string(text), "disable") {
		t.Errorf("the entry is now %q, %v", text, err)
	}
	expect(t, 1, "FAIL start: rexec.socket, /etc/xinetd.d/rexec all want port 512", "-check")
}

func TestCheckReadsTheOptionsOfDropIns(t *testing.T) {
	sweep(t)
	for _, c := range []struct{ unit, service, line, want string }{
		{socketUnit, "rexec@.service", "-/usr/sbin/in.rexecd -m -quick", "FAIL systemd: rexec@.service: ExecStart=/usr/sbin/in.rexecd -m -quick: flag provided but not defined: -quick"},
		{socketUnit, "rexec@.service", "/usr/sbin/in.rexecd -config /etc/nowhere.toml", "FAIL settings: open /etc/nowhere.toml: no such file or directory"},
		{standbyUnit, "rexec-standby.service", "/usr/sbin/rexecd -standby 0", "FAIL systemd: rexec-standby.service: ExecStart=/usr/sbin/rexecd -standby 0: -standby 0: it takes"},
		{standbyUnit, "rexec-standby.service", "/usr/sbin/in.rexecd", `FAIL systemd: rexec-standby.service: ExecStart=/usr/sbin/in.rexecd : "wait" hands over the listening socket`},
	} {
		lab.Run(t, "systemctl", "enable", "--now", c.unit)
		if out, _ := says("rexecd", "-check"); strings.Contains(out, "FAIL systemd") || strings.Contains(out, "FAIL settings") || strings.Contains(out, "FAIL port") {
			t.Errorf("as shipped, rexecd -check says\n%s", out)
		}
		dir := "/etc/systemd/system/" + c.service + ".d"
		put(t, dir+"/test.conf", "[Service]\nExecStart=\nExecStart="+c.line+"\n")
		lab.Run(t, "systemctl", "daemon-reload")
		expect(t, 1, c.want, "-check")
		os.RemoveAll(dir)
		lab.Run(t, "systemctl", "daemon-reload")
		lab.Run(t, "systemctl", "disable", "--now", c.unit)
	}
}

// Whoever changes over to the other socket leaves its restrictions behind.
func TestCheckNotesDropInsOfTheSocketThatIsOff(t *testing.T) {
	sweep(t)
	const dir, other = "/etc/systemd/system/rexec.socket.d/", "/etc/systemd/system/rexec-standby.socket.d/"
	const text = "[Socket]\nIPAddressDeny=any\nIPAddressAllow=192.0.2.0/24\n"
	const want = "note systemd: " + dir + "net.conf has no effect on rexec-standby.socket, which is in use: if that is to have it too, copy it to " + other + "net.conf\n"
	put(t, dir+"net.conf", text)
	t.Cleanup(func() { says("systemctl", "daemon-reload") })
	lab.Run(t, "systemctl", "daemon-reload")
	notes := func() bool {
		out, _ := says("rexecd", "-check")
		return strings.Contains(out, want)
	}
	lab.Run(t, "systemctl", "enable", "--now", socketUnit)
	if notes() {
		t.Error("rexec.socket, which is in use, is said to be off")
	}
	lab.Run(t, "systemctl", "disable", "--now", socketUnit)
	lab.Run(t, "systemctl", "enable", "--now", standbyUnit)
	if !notes() {
		out, _ := says("rexecd", "-check")
		t.Errorf("rexecd -check:\n%s; want %s", out, want)
	}
	put(t, other+"net.conf", text)
	lab.Run(t, "systemctl", "daemon-reload")
	if notes() {
		t.Error("the drop-in is noted although the other socket has it")
	}
}

// systemd listens, for somebody else.
func TestCheckFailsForAForeignUnitOnThePort(t *testing.T) {
	sweep(t)
	put(t, "/etc/systemd/system/foreign.socket", "[Socket]\nListenStream=512\nAccept=yes\n")
	put(t, "/etc/systemd/system/foreign@.service", "[Service]\nExecStart=/bin/true\n")
	lab.Run(t, "systemctl", "daemon-reload")
	lab.Run(t, "systemctl", "start", "foreign.socket")
	defer says("systemctl", "stop", "foreign.socket")
	expect(t, 1, "FAIL port 512: systemd (process 1) listens, and starts no in.rexecd", "-check")
	expect(t, 1, "port 512 is taken by systemd (process 1)", "-install")
}
