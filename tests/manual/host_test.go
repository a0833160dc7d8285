package manual

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// The users that examples name. alice is the one whose password is in ~/.netrc.
var users = []lab.User{
	{Name: "alice", Password: "correct-horse", Groups: "batch"},
	{Name: "bob", Password: "bobs"},
	{Name: "paul", Password: "mypasswd"},
	{Name: "op", Password: "ops"},
	{Name: "user", Password: "users"},
	{Name: "guest"},
	{Name: "monitor", Password: "monitors"},
	{Name: "basher", Password: "bashes", Shell: "/bin/bash"},
}

var host sync.Once

// prepareHost makes the accounts, the host names and the programs that the
// examples use.
func prepareHost(t *testing.T) {
	t.Helper()
	host.Do(func() {
		run(t, "groupadd", "batch")
		for _, u := range users {
			lab.AddUser(t, u)
		}
		names := "127.0.0.1 localhost rs60002 host vmhost cluster board linux1 linux1.example.com\n::1 localhost6\n"
		netrc := ""
		for n := range 40 {
			names += fmt.Sprintf("127.0.1.%d host%d\n", n+1, n+1)
			netrc += fmt.Sprintf("machine host%d login alice password correct-horse\nmachine host%[1]d login user password users\n", n+1)
		}
		write(t, "/etc/hosts", names, 0o644)
		write(t, "/root/.netrc", netrc+"machine linux1 login monitor password monitors\nmachine linux1 login alice password correct-horse\nmachine rs60002 login paul password mypasswd\ndefault login alice password correct-horse\n", 0o600)
		run(t, "cp", lab.Server(t), lab.Rexecd(t), "/usr/sbin/")
		run(t, "cp", lab.Client(t), "/usr/bin/rexec")
		write(t, "/usr/bin/pass", "#!/bin/sh\necho ops\n", 0o755)
		write(t, "/usr/bin/q", "#!/bin/sh\necho it is late\n", 0o755)
		write(t, "/etc/rexec/validate", "#!/bin/sh\n[ \"$PAM_USER\" = alice ] && [ \"$PAM_RHOST\" = 127.0.0.1 ]\n", 0o755)
		write(t, "/srv/jobs/nightly", "#!/bin/sh\necho done\n", 0o755)
		run(t, "chown", "alice:", "/srv")
		write(t, "/home/alice/.netrc", "machine linux1 login alice password correct-horse\n", 0o600)
		run(t, "chown", "alice:", "/home/alice/.netrc")
		write(t, "/etc/pam.d/rexec", stack, 0o644)
		write(t, "/etc/rexecd.toml", roomy, 0o644)
	})
}

// stack is pam_unix, with accounts that have no password.
var stack = strings.Replace(lab.Stack, "pam_unix.so nodelay", "pam_unix.so nodelay nullok", 1)

const roomy = "permit_empty_password = true\n[penalties]\nenabled = false\n"

// serve serves port 512 of the loopback's IPv4 addresses while the test runs.
func serve(t *testing.T) {
	t.Helper()
	daemon(t, "127.0.0.1:512", "/usr/sbin/rexecd", "-debug", "-listen", "0.0.0.0:512")
}

// runClient runs a program, as root, in a directory with one file.
func runClient(t *testing.T, name string, args ...string) string {
	t.Helper()
	old, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "content\n", 0o644)
	if err := os.Chdir(dir); err != nil {
		t.Fatal(err)
	}
	defer os.Chdir(old)
	t.Setenv("HOME", "/root")
	t.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
	return run(t, name, args...)
}

// daemon starts a program in the foreground, and ends it with the test.
func daemon(t *testing.T, address, name string, args ...string) {
	t.Helper()
	listens := func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	// A child that the one before has left has its listening socket until it executes its
	// program.
	lab.Eventually(t, "nobody listens at "+address, func() bool { return !listens() })
	var out strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s %q said\n%s", name, args, out.String())
		}
	})
	lab.Eventually(t, "a listener at "+address, listens)
}

// answers checks that alice's command runs.
func answers(t *testing.T, address string) {
	t.Helper()
	a := lab.Ask(t, address, lab.Request{User: "alice", Password: "correct-horse", Command: "id -un"})
	if a.Status() != 0 || a.Out() != "alice\n" {
		t.Errorf("%s: %v", address, a)
	}
}

// serveUnderInetd gives the lines, one after the other, to a real inetd.
func serveUnderInetd(t *testing.T, e Example) {
	for _, line := range e.Lines {
		address := "127.0.0.1:512"
		if strings.Contains(line, "tcp6") {
			address = "[::1]:512"
		}
		if strings.Contains(line, "/usr/sbin/tcpd") {
			run(t, "cp", lab.Deb(t, "tcpd")+"/usr/sbin/tcpd", "/usr/sbin/")
		}
		t.Run(strings.Fields(line)[2], func(t *testing.T) {
			conf := filepath.Join(t.TempDir(), "inetd.conf")
			write(t, conf, line+"\n", 0o644)
			daemon(t, address, lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", conf)
			answers(t, address)
			exec.Command("pkill", "-TERM", "-x", "rexecd").Run() // a `wait` entry's supervisor, in this private host
		})
	}
}

func serveUnderXinetd(t *testing.T, e Example) {
	conf := file(t, "xinetd.conf", e)
	daemon(t, "127.0.0.1:512", lab.Deb(t, "xinetd")+"/usr/sbin/xinetd", "-dontfork", "-stayalive", "-pidfile", conf+".pid", "-f", conf)
	answers(t, "127.0.0.1:512")
}

// logInThroughPAM puts the lines before a stack that works: a line that PAM
// cannot read or load refuses everybody.
func logInThroughPAM(t *testing.T, e Example) {
	text := strings.ReplaceAll(e.Text(), "accessfile=/etc/security/access-rexec.conf", "accessfile="+checkAccess(t))
	s := lab.Handler{Path: lab.Server(t), Room: lab.Room{Stack: text + stack}, Settings: roomy}.Start(t)
	answers(t, s.Addr)
	a := lab.Ask(t, s.Addr, lab.Request{User: "bob", Password: "bobs", Command: "id -un"})
	if a.Status() != 1 {
		t.Errorf("the example does not refuse bob: %v", a)
	}
}

// checkAccess writes the example of access.conf(5), with this host's address in
// place of the example's network, and returns its path.
func checkAccess(t *testing.T, one ...Example) string {
	t.Helper()
	for _, page := range pages(t) {
		for _, e := range examples(t, page) {
			if e.Kind != "access" {
				continue
			}
			text := strings.ReplaceAll(e.Text(), "192.0.2.0/24", "127.0.0.1")
			if text == e.Text() {
				t.Errorf("%s names no 192.0.2.0/24", e)
			}
			path := filepath.Join(t.TempDir(), "access.conf")
			write(t, path, text, 0o644)
			return path
		}
	}
	t.Fatal("no manual has an example of access.conf(5)")
	return ""
}

// logInFromNetrc makes the hosts and accounts that the file names.
func logInFromNetrc(t *testing.T, e Example) {
	words := strings.Fields(e.Text())
	var machine, login, password string
	for i := 0; i+1 < len(words); i += 2 {
		switch words[i] {
		case "machine":
			machine = words[i+1]
		case "login":
			login = words[i+1]
		case "password":
			password = words[i+1]
		}
	}
	old := read(t, "/etc/hosts")
	write(t, "/etc/hosts", old+"127.0.0.1 "+machine+"\n", 0o644)
	t.Cleanup(func() { write(t, "/etc/hosts", old, 0o644) })
	if _, err := os.Stat("/home/" + login); err != nil {
		lab.AddUser(t, lab.User{Name: login, Password: password})
	}
	serve(t)
	t.Setenv("NETRC", file(t, "netrc", e))
	if out := runClient(t, "rexec", machine, "id -un"); out != login+"\n" {
		t.Errorf("printed %q; want %q", out, login)
	}
}
