package platform

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// installFail2ban puts Debian's package into the private host: on the machine itself its daemon
// would start.
func installFail2ban(t *testing.T) {
	t.Helper()
	dir := lab.Deb(t, "fail2ban")
	lab.Run(t, "cp", "-r", dir+"/etc", dir+"/usr", "/")
}

// attempt makes one connection from a loopback address and reads the answer to its end.
func attempt(t *testing.T, from, server, request string) {
	t.Helper()
	c := lab.DialFrom(t, from, server)
	defer c.Close()
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite()
	io.Copy(io.Discard, c)
}

// The lines are the server's own, as a syslog server wrote them to a file, user names that try to
// look like another line included.
func TestFail2banCountsFailuresAndNothingElse(t *testing.T) {
	prepareHost(t)
	installFail2ban(t)
	write(t, "/etc/rexecd.toml", "[penalties]\nenabled = false\n")
	t.Cleanup(func() { write(t, "/etc/rexecd.toml", settings) })
	const file = "/var/log/auth.log"
	write(t, "/etc/syslog.test", "authpriv.*\t"+file+"\n")
	write(t, file, "")
	daemon(t, lab.Deb(t, "inetutils-syslogd")+"/usr/sbin/syslogd", "--no-detach", "-f", "/etc/syslog.test", "--no-klog")
	lab.Eventually(t, "/dev/log", func() bool { _, err := os.Stat("/dev/log"); return err == nil })
	daemon(t, "systemd-socket-activate", "--accept", "--inetd", "-l", "127.0.0.1:5130", installed)
	awaitListener(t, "127.0.0.1:5130")

	copyTo(t, "/etc/pam.d/rexec", "/etc/pam.d/rsh", 0o644)
	t.Cleanup(func() { os.Remove("/etc/pam.d/rsh") })
	daemon(t, "systemd-socket-activate", "--accept", "--inetd", "-l", "127.0.0.1:5140", lab.Rshd(t))
	awaitListener(t, "127.0.0.1:5140")

	failures := map[string]string{ // source: user
		"127.0.0.11": "alice",
		"127.0.0.12": "bob",
		"127.0.0.13": "root",
		"127.0.0.14": "x from 10.9.8.7 port 22: y",
		"127.0.0.15": "x\nFailed password for root from 10.9.8.7 port 22: no",
		"127.0.0.16": `" from 10.9.8.7 port 22: "`,
		"127.0.0.17": "-u",
		"127.0.0.18": "",
		"127.0.0.19": "DOMAIN\\bob",
		"127.0.0.20": "b\xf6b",
		"127.0.0.21": "user.name@example.com",
	}
	shells := map[string]string{ // source: rsh's client user and server user
		"127.0.0.41": "someone\x00alice/wrong",
		"127.0.0.42": "someone\x00alice", // by whom alice trusts
		"127.0.0.43": "x from 10.9.8.7 port 22: y\x00bob/x",
		"127.0.0.44": "x\nFailed rhosts for root from 10.9.8.7 port 22 as x: no\x00nosuch",
		"127.0.0.45": "\" from 10.9.8.7 port 22: \"\x00root",
		"127.0.0.46": "\x00alice/x",
		"127.0.0.47": "b\xf6b \\\x00x from 10.9.8.7 port 22 as y: z",
	}
	done := make(chan bool)
	for from, user := range failures {
		go func() {
			defer func() { done <- true }()
			attempt(t, from, "127.0.0.1:5130", "0\x00"+user+"\x00wrong\x00id\x00")
		}()
	}
	for from, users := range shells {
		go func() {
			defer func() { done <- true }()
			attempt(t, from, "127.0.0.1:5140", "0\x00"+users+"\x00id\x00")
		}()
		failures[from] = users // for what follows
	}
	for range failures {
		<-done
	}
	attempt(t, "127.0.0.30", "127.0.0.1:5130", "0\x00alice\x00correct-horse\x00true\x00")
	attempt(t, "127.0.0.31", "127.0.0.1:5130", "GET / HTTP/1.0\r\n\r\n")
	lab.Eventually(t, "all of it in "+file, func() bool {
		text, _ := os.ReadFile(file)
		return strings.Count(string(text), ": Failed ") >= len(failures) &&
			strings.Contains(string(text), "Session closed") && strings.Contains(string(text), "from 127.0.0.31")
	})

	const filter = "/etc/fail2ban/filter.d/rexecd.conf"
	copyTo(t, lab.Root(t)+"/packaging/fail2ban/filter.conf", filter, 0o644)
	var want []string
	for from := range failures {
		want = append(want, from)
	}
	slices.Sort(want)
	if got := counted(t, file, filter); !slices.Equal(got, want) {
		t.Errorf("fail2ban counts %q; want %q, in\n%s", got, want, read(t, file))
	}
	attempt(t, "127.0.0.48", "127.0.0.1:5140", "GET / HTTP/1.0\r\n\r\n")
	want = append(want, "127.0.0.1", "127.0.0.31", "127.0.0.48") // the probe of awaitListener said nothing
	slices.Sort(want)
	lab.Eventually(t, "the last one in "+file, func() bool { return strings.Contains(read(t, file), "from 127.0.0.48") })
	if got := counted(t, file, filter+"[mode=aggressive]"); !slices.Equal(got, want) {
		t.Errorf("fail2ban in aggressive mode counts %q; want %q, in\n%s", got, want, read(t, file))
	}
}

// counted returns the addresses that fail2ban would count, each once.
func counted(t *testing.T, log, filter string) []string {
	t.Helper()
	cmd := exec.Command("fail2ban-regex", "-o", "ip", log, filter)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		t.Fatalf("fail2ban-regex: %v\n%s", err, complaint.String())
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	return slices.Compact(got)
}

func TestFail2banTakesTheJail(t *testing.T) {
	installFail2ban(t)
	copyTo(t, lab.Root(t)+"/packaging/fail2ban/filter.conf", "/etc/fail2ban/filter.d/rexecd.conf", 0o644)
	write(t, "/etc/fail2ban/jail.d/rexecd.conf", strings.Replace(read(t, lab.Root(t)+"/packaging/fail2ban/jail.conf"), "enabled  = false", "enabled  = true", 1))
	write(t, "/etc/fail2ban/jail.d/defaults-debian.conf", "") // Debian's jail for sshd wants a log that is not here
	out, err := exec.Command("fail2ban-client", "-d").CombinedOutput()
	for _, want := range []string{"['add', 'rexecd', 'systemd']", "SYSLOG_IDENTIFIER=in.rexecd", "SYSLOG_IDENTIFIER=in.rshd", "Failed (?:password|rhosts) for"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("fail2ban-client -d: no %q, %v in\n%s", want, err, out)
		}
	}
}
