package platform

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"rexecd/tests/lab"
)

func TestServesUnderOpenBSDInetd(t *testing.T) {
	prepareHost(t)
	conf := filepath.Join(t.TempDir(), "inetd.conf")
	write(t, conf, "127.0.0.1:5121 stream tcp nowait.6000 root "+installed+" in.rexecd\n"+
		"[::1]:5121 stream tcp6 nowait.6000 root "+installed+" in.rexecd\n")
	daemon(t, lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", conf)
	for _, addr := range []string{"127.0.0.1:5121", "[::1]:5121"} {
		awaitListener(t, addr)
		t.Run(addr, func(t *testing.T) { serves(t, addr) })
	}
}

// Its listen queue is 10 long: of 200 connections at once to /bin/cat, 129 were lost before
// anybody saw them.
func TestServesUnderInetutilsInetd(t *testing.T) {
	prepareHost(t)
	dir := t.TempDir()
	write(t, dir+"/inetd.conf", "127.0.0.1:5122 stream tcp nowait.6000 root "+installed+" in.rexecd\n"+
		"::1:5122 stream tcp6 nowait.6000 root "+installed+" in.rexecd\n")
	daemon(t, lab.Deb(t, "inetutils-inetd")+"/usr/sbin/inetutils-inetd", "-d", "-p", dir+"/pid", dir+"/inetd.conf")
	for _, addr := range []string{"127.0.0.1:5122", "[::1]:5122"} {
		awaitListener(t, addr)
		t.Run(addr, func(t *testing.T) { serves(t, addr, 8) })
	}
}

func TestServesUnderXinetd(t *testing.T) {
	prepareHost(t)
	dir := t.TempDir()
	entry := func(id, bind, flags string) string {
		return "service exec\n{\n id = " + id + "\n type = UNLISTED\n bind = " + bind + "\n port = 5123\n flags = " + flags +
			"\n socket_type = stream\n protocol = tcp\n wait = no\n user = root\n server = " + installed + "\n instances = 512\n cps = 500 1\n}\n"
	}
	write(t, dir+"/xinetd.conf", entry("exec4", "127.0.0.1", "IPv4")+entry("exec6", "::1", "IPv6"))
	daemon(t, lab.Deb(t, "xinetd")+"/usr/sbin/xinetd", "-dontfork", "-stayalive", "-pidfile", dir+"/pid", "-f", dir+"/xinetd.conf")
	for _, addr := range []string{"127.0.0.1:5123", "[::1]:5123"} {
		awaitListener(t, addr)
		t.Run(addr, func(t *testing.T) { serves(t, addr) })
	}
}

func TestServesUnderRlinetd(t *testing.T) {
	prepareHost(t)
	dir, deb := t.TempDir(), lab.Deb(t, "rlinetd")
	write(t, dir+"/rlinetd.conf", `service "exec" {
	protocol tcp;
	interface 127.0.0.1;
	port 5124;
	user "root";
	group "root";
	server "`+installed+`";
	exec "in.rexecd";
	instances 200;
	backlog 128;
}
`)
	parser, err := filepath.Glob(deb + "/usr/lib/*/rlinetd/libparse.so")
	if err != nil || len(parser) != 1 {
		t.Fatalf("rlinetd's parser: %v, %v", parser, err)
	}
	daemon(t, deb+"/usr/sbin/rlinetd", "-d", "-p", parser[0], "-f", dir+"/rlinetd.conf")
	awaitListener(t, "127.0.0.1:5124")
	serves(t, "127.0.0.1:5124")
}

func TestServesUnderTcpserver(t *testing.T) {
	prepareHost(t)
	tcpserver := lab.Deb(t, "ucspi-tcp") + "/usr/bin/tcpserver"
	daemon(t, tcpserver, "-v", "-H", "-R", "-l", "0", "-c", "200", "-b", "128", "127.0.0.1", "5125", installed)
	awaitListener(t, "127.0.0.1:5125")
	serves(t, "127.0.0.1:5125")
}

func TestServesUnderBusyboxInetd(t *testing.T) {
	prepareHost(t)
	conf := filepath.Join(t.TempDir(), "inetd.conf")
	write(t, conf, "127.0.0.1:5126 stream tcp nowait root "+installed+" in.rexecd\n")
	daemon(t, busyboxInetd(t), "-f", "-e", "-q", "128", conf)
	awaitListener(t, "127.0.0.1:5126")
	serves(t, "127.0.0.1:5126")
}

func TestServesUnderSystemdSocketActivate(t *testing.T) {
	prepareHost(t)
	for _, c := range []struct {
		name, addr string
		args       []string
	}{
		{"descriptor 0", "127.0.0.1:5127", []string{"--inetd"}},
		{"descriptor 3 and LISTEN_FDS", "[::1]:5128", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			daemon(t, "systemd-socket-activate", append(append([]string{"--accept", "-l", c.addr}, c.args...), installed)...)
			awaitListener(t, c.addr)
			serves(t, c.addr)
		})
	}
}

// The line for inetd's "wait" in rexecd(8): the server gets the listening socket and keeps it.
func TestServesFromInetdsListeningSocket(t *testing.T) {
	prepareHost(t)
	conf := filepath.Join(t.TempDir(), "inetd.conf")
	write(t, conf, "127.0.0.1:5133 stream tcp wait root "+rexecd+" rexecd -standby 2\n")
	inetd := daemon(t, lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", conf)
	t.Cleanup(func() { lab.Run(t, "pkill", "-TERM", "-x", "-P", strconv.Itoa(inetd.Process.Pid), "rexecd") })
	awaitListener(t, "127.0.0.1:5133")
	serves(t, "127.0.0.1:5133")
}

// busyboxInetd is built from Debian's source by build-busybox: the installed busybox has no such
// applet.
func busyboxInetd(t *testing.T) string {
	t.Helper()
	path := lab.Root(t) + "/build/busybox/inetd"
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make deps", err)
	}
	return path
}

// A container's process 1 may be a small inetd, which also collects what commands leave behind,
// or the server's own supervisor, which does the same.
func TestServesAsTheFirstProcessOfAContainer(t *testing.T) {
	prepareHost(t)
	conf := filepath.Join(t.TempDir(), "inetd.conf")
	write(t, conf, "127.0.0.1:5129 stream tcp nowait root "+installed+" in.rexecd\n")
	for _, c := range []struct {
		name, addr string
		command    []string
	}{
		{"busybox inetd", "127.0.0.1:5129", []string{busyboxInetd(t), "-f", "-e", "-q", "128", conf}},
		{"rexecd -standby", "127.0.0.1:5131", []string{rexecd, "-standby", "2", "-listen", "127.0.0.1:5131"}},
		{"rexecd -debug", "127.0.0.1:5132", []string{rexecd, "-debug", "-listen", "127.0.0.1:5132"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			daemon(t, "unshare", append([]string{"--pid", "--fork", "--kill-child=KILL", "--mount-proc"}, c.command...)...)
			awaitListener(t, c.addr)
			run := func(command string) lab.Answer {
				return lab.Ask(t, c.addr, lab.Request{User: "alice", Password: "correct-horse", Command: command})
			}
			if a := run("(sleep 0.1 &) </dev/null >/dev/null 2>&1"); a.Status() != 0 || a.Err != nil {
				t.Fatalf("%v", a)
			}
			lab.Eventually(t, "the orphan's end, collected by process 1", func() bool {
				return run("ps -eo stat,comm | grep -E 'sleep|defunct' | wc -l").Out() == "0\n"
			})
			serves(t, c.addr)
		})
	}
}

func TestTheShippedInetdLineIsWhatIsTested(t *testing.T) {
	text, err := os.ReadFile(lab.Root(t) + "/packaging/inetd.conf")
	if err != nil {
		t.Fatal(err)
	}
	prepareHost(t)
	conf := filepath.Join(t.TempDir(), "inetd.conf")
	write(t, conf, string(text))
	daemon(t, lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", conf)
	awaitListener(t, "127.0.0.1:512")
	a := lab.Ask(t, "127.0.0.1:512", lab.Request{User: "alice", Password: "correct-horse", Command: "echo $REXEC_CLIENT"})
	if a.Status() != 0 {
		t.Errorf("%v", a)
	}
}
