package rsh

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// rexecd runs the program that administers the service.
func rexecd(t testing.TB, args ...string) result {
	t.Helper()
	return run(t, "", lab.Rexecd(t), args...)
}

func TestStandbyKeepsHandlersOfRshReady(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 root\n")
	files := map[string]string{"/etc/pam.d/rsh": trustStack, "/etc/rexecd.toml": trust + "[penalties]\nenabled = false\n"}
	cmd := exec.Command(lab.Rexecd(t), "-standby", "2", "-listen", "127.0.0.31:514", "rsh")
	log := lab.Room{Files: files}.Command(t, cmd)
	lab.Eventually(t, "the service", func() bool {
		c, err := net.Dial("tcp", "127.0.0.31:514")
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	for range 4 {
		compare(t, "standby", glibc(t, "127.0.0.31:514", "root", u.Name, "echo out; echo err >&2", "", "4"), result{"out\n", "err\n", 0})
	}
	compare(t, "refused", glibc(t, "127.0.0.31:514", "other", u.Name, "id", "", "4"), result{"", "Permission denied.\n", 1})
	log.Wait(t, "Failed rhosts for "+u.Name+" from 127.0.0.1 port ")
	if !strings.Contains(log.Raw(), "SYSLOG_IDENTIFIER=in.rshd") {
		t.Errorf("the log is %s", log.Raw())
	}
}

// Not beside the others: the files and port 514 of this host are the service's.
func TestTheServiceIsInstalledCheckedAndRemoved(t *testing.T) {
	u := newUser(t, lab.User{}, "127.0.0.1 root\n+ +\n")
	for path, text := range map[string]string{
		"/etc/pam.d/rsh": trustStack, "/etc/rexecd.toml": trust, "/etc/inetd.conf": "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(path) })
	}
	inetd := exec.Command(lab.Deb(t, "openbsd-inetd")+"/usr/sbin/inetd", "-i", "/etc/inetd.conf")
	if err := inetd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { inetd.Process.Kill(); inetd.Wait() }()
	if r := rexecd(t, "-install", "rsh"); r.status != 0 || !strings.Contains(r.out, "inetd listens on port 514\n") {
		t.Fatalf("-install: %+v", r)
	}
	if conf := lab.Read("/etc/inetd.conf"); !strings.HasPrefix(conf, "shell\tstream\ttcp\tnowait.6000\troot\t"+lab.Rshd(t)+"\tin.rshd\n") {
		t.Errorf("inetd.conf is %q", conf)
	}
	compare(t, "our client", run(t, "", lab.Rsh(t), "-l", u.Name, "127.0.0.1", "id -un"), result{u.Name + "\n", "", 0})
	r := rexecd(t, "-check", "rsh")
	for _, want := range []string{
		"ok   PAM: /etc/pam.d/rsh, with session lines\n", "ok   port 514: inetd (process ",
		"FAIL trust: /home/" + u.Name + "/.rhosts:2: + lets in every host", "note trust: accounts believe what other hosts say",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("-check does not say %q: %s", want, r.out)
		}
	}
	if r.status != 1 {
		t.Errorf("-check ends with %d", r.status)
	}
	// rexec's own service is another.
	if r := rexecd(t, "-check"); !strings.Contains(r.out, "FAIL port 512: nobody listens") {
		t.Errorf("-check of rexec: %s", r.out)
	}
	if r := rexecd(t, "-remove", "rsh"); r.status != 0 || !strings.Contains(r.out, "switched off the entry in /etc/inetd.conf") {
		t.Errorf("-remove: %+v", r)
	}
	if _, err := net.Dial("tcp", "127.0.0.1:514"); err == nil {
		t.Error("port 514 still listens")
	}
	if r := rexecd(t, "-check", "rshd"); r.status != 2 || !strings.Contains(r.err, `unexpected argument "rshd"`) {
		t.Errorf("another service: %+v", r)
	}
}
