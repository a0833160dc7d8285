package deb

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// debian returns the path of one of Debian's packages.
func debian(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob("../../../build/debs/" + name + "_*.deb")
	if err != nil || len(files) != 1 {
		t.Fatalf("packages %s: %v, %v; run make deps", name, files, err)
	}
	return files[0]
}

// serves tells our server from netkit's, which is silent after a wrong password, and looks at
// rsh's and rlogin's ports.
func serves(t *testing.T, who, when string) {
	t.Helper()
	lab.Eventually(t, who+" on port 512 "+when, func() bool {
		out, err := exec.Command("rexec", "-l", "carol", "-p", "correct-horse", "127.0.0.1", "id -un").CombinedOutput()
		if err != nil || string(out) != "carol\n" {
			return false
		}
		out, _ = exec.Command("rexec", "-l", "carol", "-p", "wrong", "127.0.0.1", "id -un").CombinedOutput()
		return strings.Contains(string(out), "Login incorrect.") == (who == "rexecd")
	})
	for _, port := range []string{"513", "514"} {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		c.Close()
	}
}

// intact compares the files of packages with what dpkg installed.
func intact(t *testing.T, when string, packages ...string) {
	t.Helper()
	for _, p := range packages {
		if out := says("dpkg", "--verify", p); out != "" {
			t.Errorf("%s: dpkg --verify %s:\n%s", when, p, out)
		}
	}
}

func contains(t *testing.T, when, path, want string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s: no %q in %s, %v:\n%s", when, want, path, err, text)
	}
}

func gone(t *testing.T, when string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if _, err := os.Lstat(p); err == nil {
			t.Errorf("%s: %s is there", when, p)
		}
	}
}

const (
	theirLine = "\nexec\t\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/in.rexecd\n"
	ourPAM    = "PAM stack of in.rexecd(8)"
	theirPAM  = "auth\trequired\tpam_nologin.so"
)

var aside = []string{"/usr/sbin/in.rexecd.netkit", "/usr/share/man/man8/in.rexecd.netkit.8.gz", "/etc/pam.d/rexec.netkit"}

func TestRshServerKeepsItsOtherServices(t *testing.T) {
	lab.AddUser(t, lab.User{Name: "carol", Password: "correct-horse"})
	dpkg(t, "-i", built(t, "rexec"))
	dpkg(t, "-i", debian(t, "update-inetd"), debian(t, "tcpd"), debian(t, "openbsd-inetd"), debian(t, "rsh-server"))
	lab.Run(t, "systemctl", "restart", "inetd")
	serves(t, "netkit", "before rexecd")

	dpkg(t, "-i", built(t, "rexecd"))
	contains(t, "after installation", "/etc/inetd.conf", theirLine)
	contains(t, "after installation", "/etc/pam.d/rexec", ourPAM)
	contains(t, "after installation", "/etc/pam.d/rexec.netkit", theirPAM)
	intact(t, "after installation", "rexecd", "rsh-server")
	serves(t, "rexecd", "after installation")

	t.Run("upgrades of both", func(t *testing.T) {
		dpkg(t, "-i", debian(t, "rsh-server"))
		dpkg(t, "--force-confnew", "-i", nextVersion(t))
		dpkg(t, "--force-confnew", "-i", built(t, "rexecd"))
		contains(t, "after upgrades", "/etc/inetd.conf", theirLine)
		intact(t, "after upgrades", "rexecd", "rsh-server")
		serves(t, "rexecd", "after upgrades")
	})

	t.Run("under systemd", func(t *testing.T) {
		if out := says("rexecd", "-install"); !strings.Contains(out, "inetd") || !strings.Contains(out, "nothing to do") {
			t.Errorf("rexecd -install beside inetd says %q", out)
		}
		lab.Run(t, "update-inetd", "--disable", "exec")
		lab.Eventually(t, "inetd to leave port 512", func() bool { return refused(t) })
		lab.Run(t, "rexecd", "-install")
		serves(t, "rexecd", "from systemd")
		lab.Run(t, "rexecd", "-remove")
		lab.Run(t, "update-inetd", "--enable", "exec")
		serves(t, "rexecd", "from inetd again")
	})

	t.Run("removal and a second installation", func(t *testing.T) {
		dpkg(t, "-r", "rexecd")
		contains(t, "after removal", "/etc/inetd.conf", theirLine)
		serves(t, "netkit", "after removal")
		dpkg(t, "-i", built(t, "rexecd"))
		intact(t, "after the second installation", "rexecd", "rsh-server")
		serves(t, "rexecd", "after the second installation")
	})

	t.Run("purge", func(t *testing.T) {
		dpkg(t, "-P", "rexecd")
		serves(t, "netkit", "after purge")
		intact(t, "after purge", "rsh-server")
		contains(t, "after purge", "/etc/pam.d/rexec", theirPAM)
		contains(t, "after purge", "/etc/inetd.conf", theirLine)
		gone(t, "after purge", aside...)
		if out := says("dpkg-divert", "--list", "*rexec*"); out != "" {
			t.Errorf("diversions after purge: %s", out)
		}
	})

	t.Run("rsh-server second, and purged", func(t *testing.T) {
		dpkg(t, "-P", "rsh-server")
		dpkg(t, "-i", built(t, "rexecd"))
		gone(t, "without rsh-server", aside...)
		dpkg(t, "-i", debian(t, "rsh-server"))
		intact(t, "after rsh-server's installation", "rexecd", "rsh-server")
		serves(t, "rexecd", "after rsh-server's installation")
		dpkg(t, "-P", "rsh-server")
		intact(t, "after rsh-server's purge", "rexecd")
		contains(t, "after rsh-server's purge", "/etc/pam.d/rexec", ourPAM)
		gone(t, "after rsh-server's purge", aside[0], aside[1])
		dpkg(t, "-P", "rexecd", "rexec")
		gone(t, "at the end", append(aside, "/usr/sbin/in.rexecd", "/etc/pam.d/rexec")...)
	})
}

// A file that is not rsh-server's stays where the administrator put it.
func TestAnAdministratorsOwnPAMFileIsNotMoved(t *testing.T) {
	const own = "auth required pam_deny.so\n"
	if err := os.WriteFile("/etc/pam.d/rexec", []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	lab.Run(t, "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "-i", built(t, "rexecd"))
	contains(t, "after installation", "/etc/pam.d/rexec", own)
	gone(t, "after installation", aside...)
	dpkg(t, "-P", "rexecd")
}
