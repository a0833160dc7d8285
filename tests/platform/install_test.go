package platform

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// runRexecd runs the installed rexecd and returns what it printed and its exit status.
func runRexecd(t *testing.T, args ...string) (string, int) {
	t.Helper()
	prepareHost(t)
	cmd := exec.Command(rexecd, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func expect(t *testing.T, status int, want string, args ...string) {
	t.Helper()
	if out, got := runRexecd(t, args...); got != status || !strings.Contains(out, want) {
		t.Errorf("rexecd %s: exit status %d, %q; want %d, %q", strings.Join(args, " "), got, out, status, want)
	}
}

// checkSays looks for a line of -check; other lines depend on the machine: a container has fewer
// capabilities.
func checkSays(t *testing.T, want string) {
	t.Helper()
	if out, _ := runRexecd(t, "-check"); !strings.Contains(out, want) {
		t.Errorf("rexecd -check: %s; want %q", out, want)
	}
}

func answers(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// runsOnce proves that the entry works, and not only that somebody listens.
func runsOnce(t *testing.T) {
	t.Helper()
	for _, addr := range []string{"127.0.0.1:512", "[::1]:512"} {
		if a := lab.Ask(t, addr, lab.Request{User: "alice", Password: "correct-horse", Command: "echo installed"}); a.Out() != "installed\n" {
			t.Errorf("%s: %v", addr, a)
		}
	}
}

func TestInstallAndRemoveUnderInetd(t *testing.T) {
	const own = "# the site's own\ndaytime stream tcp nowait root internal\n"
	for _, c := range []struct {
		name  string
		start func(t *testing.T)
	}{
		{"openbsd-inetd", func(t *testing.T) {
			daemon(t, lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", "/etc/inetd.conf")
		}},
		{"inetutils-inetd", func(t *testing.T) {
			daemon(t, lab.Deb(t, "inetutils-inetd")+"/usr/sbin/inetutils-inetd", "-d", "-p", t.TempDir()+"/pid", "/etc/inetd.conf")
		}},
		{"busybox inetd", func(t *testing.T) { daemon(t, busyboxInetd(t), "-f", "-e", "/etc/inetd.conf") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			prepareHost(t)
			write(t, "/etc/inetd.conf", own)
			t.Cleanup(func() { os.Remove("/etc/inetd.conf") })
			c.start(t)
			awaitListener(t, "127.0.0.1:13")
			expect(t, 0, "listens on port 512", "-install")
			runsOnce(t)
			installed := read(t, "/etc/inetd.conf")
			checkSays(t, "ok   inetd: line ")
			if out, _ := runRexecd(t, "-check"); strings.Contains(out, "FAIL inetd") || strings.Contains(out, "FAIL start") || strings.Contains(out, "FAIL port") {
				t.Errorf("rexecd -check:\n%s", out)
			}
			expect(t, 0, "nothing to do", "-install")
			runsOnce(t)
			expect(t, 0, "switched off the entry in /etc/inetd.conf", "-remove")
			if answers("127.0.0.1:512") {
				t.Error("port 512 is open after -remove")
			}
			expect(t, 0, "nothing to do", "-remove")
			if text := read(t, "/etc/inetd.conf"); text != own {
				t.Errorf("/etc/inetd.conf after -remove: %q; want it as before", text)
			}
			// As an installation leaves it that was killed before inetd was told.
			write(t, "/etc/inetd.conf", installed)
			expect(t, 0, "listens on port 512", "-install")
			runsOnce(t)
		})
	}
}

// Its socket for tcp6 takes IPv4 as well, and cannot be had beside the other.
func TestLinesForAnInetdThatStartsLaterAreMended(t *testing.T) {
	prepareHost(t)
	write(t, "/etc/inetd.conf", "daytime stream tcp nowait root internal\n")
	t.Cleanup(func() { os.Remove("/etc/inetd.conf") })
	expect(t, 0, "inetd is not running: start it, then run rexecd -check", "-install")
	daemon(t, lab.Deb(t, "inetutils-inetd")+"/usr/sbin/inetutils-inetd", "-d", "-p", t.TempDir()+"/pid", "/etc/inetd.conf")
	awaitListener(t, "127.0.0.1:512")
	checkSays(t, "note inetd: line 3 of /etc/inetd.conf is in place, but inetd does not listen over IPv6")
	expect(t, 0, "this inetd wants one line, tcp6, for IPv4 and IPv6", "-install")
	if !answers("127.0.0.1:512") || !answers("[::1]:512") {
		t.Error("port 512 is not open over IPv4 and IPv6")
	}
	if out, _ := runRexecd(t, "-check"); strings.Contains(out, "IPv6") {
		t.Errorf("rexecd -check:\n%s", out)
	}
	expect(t, 0, "nothing to do", "-install")
	expect(t, 0, "switched off", "-remove")
}

func TestInstallAndRemoveUnderXinetd(t *testing.T) {
	prepareHost(t)
	shipped := read(t, lab.Root(t)+"/packaging/xinetd")
	write(t, "/etc/xinetd.d/rexec", shipped)
	write(t, "/etc/xinetd.conf", "defaults\n{\n}\nincludedir /etc/xinetd.d\n")
	t.Cleanup(func() { os.RemoveAll("/etc/xinetd.d"); os.Remove("/etc/xinetd.conf") })
	heedsHUP(t, daemon(t, lab.Deb(t, "xinetd")+"/usr/sbin/xinetd", "-dontfork", "-stayalive", "-pidfile", t.TempDir()+"/pid", "-f", "/etc/xinetd.conf"))
	expect(t, 0, "xinetd listens on port 512", "-install")
	runsOnce(t)
	checkSays(t, "ok   xinetd: /etc/xinetd.d/rexec is in place")
	expect(t, 0, "nothing to do", "-install")
	write(t, "/etc/rexecd.toml.d/site.toml", "grace = \"soon\"\n")
	t.Cleanup(func() { os.RemoveAll("/etc/rexecd.toml.d") })
	expect(t, 0, "but settings: /etc/rexecd.toml.d/site.toml:1:9: grace = \"soon\": must be a time", "-install")
	if err := os.Remove("/etc/rexecd.toml.d/site.toml"); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, "switched off the entry in /etc/xinetd.d/rexec", "-remove")
	if answers("127.0.0.1:512") {
		t.Error("port 512 is open after -remove")
	}
	if text := read(t, "/etc/xinetd.d/rexec"); text != shipped {
		t.Errorf("/etc/xinetd.d/rexec after -remove: %q; want it as shipped", text)
	}
}

func TestInstallRefusesWithAReasonAndChangesNothing(t *testing.T) {
	prepareHost(t)
	t.Run("no super-server", func(t *testing.T) {
		expect(t, 1, "no super-server found", "-install")
	})
	t.Run("the port is taken", func(t *testing.T) {
		write(t, "/etc/inetd.conf", "")
		t.Cleanup(func() { os.Remove("/etc/inetd.conf") })
		daemon(t, "systemd-socket-activate", "-l", "127.0.0.1:512", "/bin/true")
		awaitListenerQuietly(t)
		expect(t, 1, "port 512 is taken by systemd-socket", "-install")
		if text := read(t, "/etc/inetd.conf"); text != "" {
			t.Errorf("/etc/inetd.conf was changed: %q", text)
		}
	})
	t.Run("another server's line", func(t *testing.T) {
		const line = "exec stream tcp nowait root /opt/rexecd rexecd\n"
		write(t, "/etc/inetd.conf", line)
		t.Cleanup(func() { os.Remove("/etc/inetd.conf") })
		expect(t, 1, "line 1 of /etc/inetd.conf starts /opt/rexecd", "-install")
		if text := read(t, "/etc/inetd.conf"); text != line {
			t.Errorf("/etc/inetd.conf was changed: %q", text)
		}
	})
	t.Run("a path that no entry can name", func(t *testing.T) {
		dir := "/opt/a directory"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		copyTo(t, lab.Server(t), dir+"/in.rexecd", 0o755)
		copyTo(t, lab.Rexecd(t), dir+"/rexecd", 0o755)
		write(t, "/etc/inetd.conf", "")
		t.Cleanup(func() { os.Remove("/etc/inetd.conf"); os.RemoveAll(dir) })
		out, err := exec.Command(dir+"/rexecd", "-install").CombinedOutput()
		if err == nil || !strings.Contains(string(out), `/etc/inetd.conf cannot name "/opt/a directory/in.rexecd"`) {
			t.Errorf("%q, %v", out, err)
		}
		if text := read(t, "/etc/inetd.conf"); text != "" {
			t.Errorf("/etc/inetd.conf was changed: %q", text)
		}
	})
	t.Run("an ordinary user", func(t *testing.T) {
		for _, verb := range []string{"-install", "-remove"} {
			out, err := exec.Command("runuser", "-u", "alice", "--", rexecd, verb).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "needs root") {
				t.Errorf("%s: %q, %v", verb, out, err)
			}
		}
	})
}

// awaitListenerQuietly waits for port 512 without connecting: this super-server ends with its
// first connection.
func awaitListenerQuietly(t *testing.T) {
	t.Helper()
	lab.Eventually(t, "a listener on port 512", func() bool {
		return strings.Contains(lab.Run(t, "ss", "-Hltn", "sport = :512"), ":512")
	})
}

// heedsHUP waits until a program catches SIGHUP, which would end it in the first moments of its
// life.
func heedsHUP(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	lab.Eventually(t, cmd.Args[0]+" to catch SIGHUP", func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		_, caught, _ := strings.Cut(string(text), "SigCgt:\t")
		set, err := strconv.ParseUint(strings.TrimSpace(strings.SplitN(caught, "\n", 2)[0]), 16, 64)
		return err == nil && set&1 != 0
	})
}
