package platform

import (
	"os"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestCheckSaysWhatIsMissing(t *testing.T) {
	prepareHost(t)
	expect(t, 1, "FAIL port 512: nobody listens", "-check")
	stack := read(t, "/etc/pam.d/rexec")
	t.Cleanup(func() { write(t, "/etc/pam.d/rexec", stack) })
	write(t, "/etc/pam.d/rexec", "auth required pam_unix.so\naccount required pam_unix.so\n")
	expect(t, 1, "has no session lines", "-check")
	write(t, "/etc/pam.d/rexec", stack+"session required pam_nowhere.so\n")
	expect(t, 1, "pam_nowhere.so", "-check")
}

// What clients would get is another server's answer.
func TestCheckFailsForAForeignListener(t *testing.T) {
	prepareHost(t)
	daemon(t, "systemd-socket-activate", "-l", "127.0.0.1:512", "/bin/true")
	awaitListenerQuietly(t)
	expect(t, 1, "FAIL port 512: systemd-socket- (process ", "-check")
}

func TestCheckIsOKWithTheSupervisorAlone(t *testing.T) {
	prepareHost(t)
	daemon(t, rexecd, "-standby", "2", "-listen", "127.0.0.1:512")
	awaitListener(t, "127.0.0.1:512")
	checkSays(t, "ok   port 512: rexecd (process ")
	checkSays(t, "ok   start: rexecd (process ")
	if out, _ := runRexecd(t, "-check"); strings.Contains(out, "FAIL port") || strings.Contains(out, "FAIL start") {
		t.Errorf("rexecd -check:\n%s", out)
	}
}

func TestCheckFailsForOptionsThatTheServerRefuses(t *testing.T) {
	prepareHost(t)
	file := t.TempDir() + "/named.toml"
	write(t, file, "nonsense = 1\n")
	for _, c := range []struct{ path, text, want string }{
		{"/etc/inetd.conf", "exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd -x\n",
			`FAIL inetd: line 1 of /etc/inetd.conf: flag provided but not defined: -x: every client is told "Try again."`},
		{"/etc/inetd.conf", "# c\nexec stream tcp nowait root /usr/sbin/rexecd rexecd -standby 3\n",
			`FAIL inetd: line 2 of /etc/inetd.conf: "nowait" hands over one connection`},
		{"/etc/inetd.conf", "exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd -config " + file + "\n", "FAIL settings: " + file + ":1:1: unknown setting"},
		{"/etc/inetd.conf", "exec stream tcp nowait root /opt/in.rexecd in.rexecd\n", "FAIL inetd: line 1 of /etc/inetd.conf starts /opt/in.rexecd, which is not there"},
		{"/etc/inetd.conf", strings.Repeat("exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n", 2),
			"FAIL inetd: line 1 of /etc/inetd.conf and line 2 of /etc/inetd.conf want the same socket"},
		{"/etc/xinetd.d/rexec", "service exec\n{\n\tserver = /usr/sbin/in.rexecd\n\tserver_args = -standby 2\n}\n",
			`FAIL xinetd: /etc/xinetd.d/rexec: in.rexecd serves one connection: "-standby 2" is for rexecd`},
		{"/etc/xinetd.d/exec-inside", "service exec\n{\n\tserver = /usr/sbin/in.rexecd\n\tserver_args = -m -z\n}\n",
			`FAIL xinetd: /etc/xinetd.d/exec-inside: flag provided but not defined: -z`},
	} {
		write(t, c.path, c.text)
		expect(t, 1, c.want, "-check")
		os.Remove(c.path)
	}
	write(t, "/etc/inetd.conf", "exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n")
	write(t, "/etc/xinetd.d/rexec", "service exec\n{\n\tserver = /usr/sbin/in.rexecd\n}\n")
	expect(t, 1, "FAIL start: line 1 of /etc/inetd.conf, /etc/xinetd.d/rexec all want port 512", "-check")
	os.Remove("/etc/inetd.conf")
	t.Cleanup(func() { os.RemoveAll("/etc/xinetd.d") })
}

// The server judges its options itself: what -check passes must be served, and
// what it fails must not.
func TestCheckAndServerAgreeOnOptions(t *testing.T) {
	prepareHost(t)
	t.Cleanup(func() { os.Remove("/etc/inetd.conf") })
	const wrong = `every client is told "Try again."`
	for _, args := range []string{"", "-m", "-n -s -c -D -S", "-config /etc/rexecd.toml", "-mn", "-x", "surplus", "-max 3", "-standby 2", "-listen :512", "-check", "-debug"} {
		write(t, "/etc/inetd.conf", "127.0.0.1:exec stream tcp nowait root "+installed+" in.rexecd "+args+"\n")
		out, _ := runRexecd(t, "-check")
		inetd := daemon(t, lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", "/etc/inetd.conf")
		awaitListener(t, "127.0.0.1:512")
		a := lab.Ask(t, "127.0.0.1:512", lab.Request{User: "alice", Password: "correct-horse", Command: "true"})
		if served := a.Status() == 0 && a.Err == nil && len(a.All) == 1; served == strings.Contains(out, wrong) {
			t.Errorf("in.rexecd %s: answer %v, but rexecd -check says\n%s", args, a, out)
		}
		inetd.Process.Kill()
		lab.Eventually(t, "the end of inetd", func() bool { return !answers("127.0.0.1:512") })
	}
}
