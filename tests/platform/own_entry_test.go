package platform

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func openBSDInetd(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := daemon(t, lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", "/etc/inetd.conf")
	heedsHUP(t, cmd)
	return cmd
}

// A site's line goes through tcpd, whose rules would be lost with it.
func TestRemoveAndInstallKeepAnAdministratorsLine(t *testing.T) {
	prepareHost(t)
	// inetd names it by its first argument, which a script would not see.
	source := t.TempDir() + "/tcpd.c"
	write(t, source, "#include <fcntl.h>\n#include <unistd.h>\nint main(int argc, char **argv) { (void)argc; close(open(\"/run/tcpd.ran\", O_CREAT, 0600)); execv(argv[0], argv); return 1; }\n")
	lab.Run(t, "cc", "-o", "/usr/sbin/tcpd", source)
	const own = "exec stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.rexecd\n" + "# behind\n"
	write(t, "/etc/inetd.conf", own)
	t.Cleanup(func() { os.Remove("/etc/inetd.conf"); os.Remove("/usr/sbin/tcpd") })
	openBSDInetd(t)
	awaitListener(t, "127.0.0.1:512")
	expect(t, 0, "nothing to do: /etc/inetd.conf has the entry, and inetd listens on port 512", "-install")
	const rate = "line 1 of /etc/inetd.conf: inetd stops the service for ten minutes after 256 connections in a minute (inetutils: 1000): write nowait.6000"
	checkSays(t, "ok   inetd: line 1 of /etc/inetd.conf is in place\nnote inetd: "+rate)
	write(t, "/etc/inetd.conf", strings.Replace(own, "nowait", "nowait.6000", 1))
	if out, _ := runRexecd(t, "-check"); strings.Contains(out, rate) {
		t.Errorf("of a line with its number, rexecd -check says\n%s", out)
	}
	write(t, "/etc/inetd.conf", own)
	expect(t, 0, "switched off the entry in /etc/inetd.conf", "-remove")
	if answers("127.0.0.1:512") {
		t.Error("port 512 is open after -remove")
	}
	if text := read(t, "/etc/inetd.conf"); text != "#<off># "+own {
		t.Errorf("after -remove: %q", text)
	}
	expect(t, 0, "nothing to do", "-remove")
	expect(t, 0, "switched on the entry in /etc/inetd.conf", "-install")
	if text := read(t, "/etc/inetd.conf"); text != own {
		t.Errorf("after -install: %q; want %q", text, own)
	}
	os.Remove("/run/tcpd.ran")
	a := lab.Ask(t, "127.0.0.1:512", lab.Request{User: "alice", Password: "correct-horse", Command: "echo served"})
	if _, err := os.Stat("/run/tcpd.ran"); a.Out() != "served\n" || err != nil {
		t.Errorf("through tcpd: %v, %v", a, err)
	}
}

// inetd's "wait" gives the listening socket away: that it no longer listens itself
// is not enough.
func TestRemoveStopsTheSupervisorOfAWaitLine(t *testing.T) {
	prepareHost(t)
	const own = "exec stream tcp wait root /usr/sbin/rexecd rexecd -standby 2\n"
	write(t, "/etc/inetd.conf", own)
	t.Cleanup(func() { os.Remove("/etc/inetd.conf") })
	openBSDInetd(t)
	awaitListener(t, "127.0.0.1:512")
	running := lab.Open(t, "127.0.0.1:512", "alice", "correct-horse", "echo running; cat; echo ended").Started(t)
	if line := running.Line(t); line != "running" {
		t.Fatalf("%q", line)
	}
	checkSays(t, "ok   inetd: line 1 of /etc/inetd.conf is in place")
	checkSays(t, "ok   port 512: rexecd (process ")
	if out, _ := runRexecd(t, "-check"); strings.Contains(out, "FAIL port") {
		t.Errorf("rexecd -check:\n%s", out)
	}
	expect(t, 0, "nothing to do: /etc/inetd.conf has the entry", "-install")
	expect(t, 0, `, which inetd had started with "wait"`, "-remove")
	if answers("127.0.0.1:512") {
		t.Error("port 512 is open after -remove")
	}
	if a := running.Rest(t); string(a.All) != "ended\n" {
		t.Errorf("the running command: %v; want it to go on to its end", a)
	}
	expect(t, 0, "inetd listens on port 512", "-install")
	if text := read(t, "/etc/inetd.conf"); text != own {
		t.Errorf("after -install: %q; want %q", text, own)
	}
	if a := lab.Ask(t, "127.0.0.1:512", lab.Request{User: "alice", Password: "correct-horse", Command: "echo again"}); a.Out() != "again\n" {
		t.Errorf("%v", a)
	}
	expect(t, 0, "switched off", "-remove")
}

// A supervisor that somebody started by hand is not the entry's.
func TestRemoveLeavesASupervisorThatInetdDidNotStart(t *testing.T) {
	prepareHost(t)
	write(t, "/etc/inetd.conf", "exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n")
	t.Cleanup(func() { os.Remove("/etc/inetd.conf") })
	daemon(t, rexecd, "-standby", "1", "-listen", "127.0.0.1:512")
	awaitListener(t, "127.0.0.1:512")
	expect(t, 0, "inetd is not running: there is nobody to tell", "-remove")
	out, _ := runRexecd(t, "-remove")
	if !strings.Contains(out, "port 512: rexecd (process ") || !strings.Contains(out, "still listens, which this does not stop") || !answers("127.0.0.1:512") {
		t.Errorf("rexecd -remove: %s", out)
	}
	if err := os.Remove("/etc/inetd.conf"); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, "nothing to do: rexecd (process ", "-install")
}

func TestProcessesKeptReadyAreNotListed(t *testing.T) {
	prepareHost(t)
	daemon(t, rexecd, "-standby", "2", "-listen", "127.0.0.1:512")
	awaitListener(t, "127.0.0.1:512")
	lab.Eventually(t, "two processes kept ready, and the one they are forked from", func() bool {
		pids, _ := exec.Command("pgrep", "-xc", "in.rexecd").Output() // it ends with 1 if there is none
		return strings.TrimSpace(string(pids)) == "3"
	})
	for _, verb := range []string{"-check", "-remove"} {
		out, _ := runRexecd(t, verb)
		if strings.Count(out, "port 512: ") != 1 || !strings.Contains(out, "port 512: rexecd (process ") {
			t.Errorf("rexecd %s: %s", verb, out)
		}
	}
}

func TestInstallFindsAnXinetdEntryInAnotherFile(t *testing.T) {
	prepareHost(t)
	const own = "service exec\n{\n\tsocket_type = stream\n\tprotocol = tcp\n\twait = no\n\tuser = root\n\tserver = /usr/sbin/in.rexecd\n\tonly_from = 127.0.0.1\n}\n"
	write(t, "/etc/xinetd.d/site", own)
	write(t, "/etc/xinetd.conf", "includedir /etc/xinetd.d\n")
	t.Cleanup(func() { os.RemoveAll("/etc/xinetd.d"); os.Remove("/etc/xinetd.conf") })
	heedsHUP(t, daemon(t, lab.Deb(t, "xinetd")+"/usr/sbin/xinetd", "-dontfork", "-stayalive", "-pidfile", t.TempDir()+"/pid", "-f", "/etc/xinetd.conf"))
	awaitListener(t, "127.0.0.1:512")
	expect(t, 0, "nothing to do: /etc/xinetd.d/site has the entry, and xinetd listens", "-install")
	if _, err := os.Stat("/etc/xinetd.d/rexec"); err == nil {
		t.Error("-install wrote a second entry")
	}
	checkSays(t, "ok   xinetd: /etc/xinetd.d/site is in place")
	checkSays(t, "ok   port 512: xinetd (process ")
	expect(t, 0, "switched off the entry in /etc/xinetd.d/site", "-remove")
	const off = "{\n\t# Switched off by rexecd -remove; rexecd -install switches it on again.\n\tdisable\t\t= yes\n"
	if text := read(t, "/etc/xinetd.d/site"); text != strings.Replace(own, "{\n", off, 1) {
		t.Errorf("after -remove: %q", text)
	}
	// The shipped entry, which admits everybody, does not take the place of the administrator's.
	write(t, "/etc/xinetd.d/rexec", "service exec\n{\n\tdisable = yes\n\tserver = /usr/sbin/in.rexecd\n}\n")
	expect(t, 0, "switched on the entry in /etc/xinetd.d/site", "-install")
	if text := read(t, "/etc/xinetd.d/site"); text != strings.Replace(own, "{\n", "{\n\tdisable\t\t= no\n", 1) {
		t.Errorf("after -install: %q", text)
	}
}
