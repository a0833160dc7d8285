// Package deb installs the Debian packages in a private host with systemd as process 1, as an
// administrator does, and takes them away again.
package deb

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.MainSystemd(m) }

const addr = "127.0.0.1:512"

// built returns the package's path in build/packages.
func built(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob("../../../build/packages/" + name + "_*.deb")
	if err != nil || len(files) != 1 {
		t.Fatalf("packages %s: %v, %v; run make deb", name, files, err)
	}
	return files[0]
}

func dpkg(t *testing.T, args ...string) { t.Helper(); lab.Run(t, "dpkg", args...) }

func says(name string, args ...string) string {
	out, _ := exec.Command(name, args...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

func refused(t *testing.T) bool {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err != nil
}

func TestThePackagesFromInstallToPurge(t *testing.T) {
	lab.AddUser(t, lab.User{Name: "alice", Password: "correct-horse"})
	before := files(t)

	dpkg(t, "-i", built(t, "rexecd"), built(t, "rexec"))
	if out := says("systemctl", "is-enabled", "rexec.socket"); out != "disabled" || !refused(t) {
		t.Errorf("after installation rexec.socket is %q, port 512 refused: %v; want it disabled and closed", out, refused(t))
	}
	if mode := says("stat", "-c", "%F %a %U", "/etc/rexecd.toml.d"); mode != "directory 755 root" {
		t.Errorf("/etc/rexecd.toml.d: %s", mode)
	}
	lab.Run(t, "rexecd", "-install")
	runsACommand(t, "after rexecd -install")

	// Edited, and changed by the next version: what the administrator wrote stays, and the
	// running socket stays.
	const edited = "log_command = true\n"
	if err := os.WriteFile("/etc/rexecd.toml", []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	dpkg(t, "-i", built(t, "rexecd"))
	dpkg(t, "--force-confdef", "--force-confold", "-i", nextVersion(t))
	if text, err := os.ReadFile("/etc/rexecd.toml"); err != nil || string(text) != edited {
		t.Errorf("after the upgrade /etc/rexecd.toml is %q, %v", text, err)
	}
	if text, err := os.ReadFile("/etc/rexecd.toml.dpkg-dist"); err != nil || !strings.HasPrefix(string(text), "# new\n") {
		t.Errorf("the new version's file: %q, %v; want it beside the old one", text, err)
	}
	if out := says("systemctl", "is-enabled", "rexec.socket"); out != "enabled" {
		t.Errorf("after the upgrade rexec.socket is %s", out)
	}
	runsACommand(t, "after the upgrade")

	dpkg(t, "-r", "rexecd", "rexec")
	if !refused(t) {
		t.Error("port 512 is open after removal")
	}
	if out := says("systemctl", "list-unit-files", "--no-legend", "rexec*"); out != "" {
		t.Errorf("units after removal: %s", out)
	}
	if _, err := os.Stat("/etc/rexecd.toml"); err != nil {
		t.Errorf("removal took the edited file away: %v", err)
	}

	// A second time, from the state that removal leaves.
	dpkg(t, "--force-confold", "-i", built(t, "rexecd"), built(t, "rexec"))
	if !refused(t) {
		t.Error("port 512 is open after the second installation")
	}
	lab.Run(t, "systemctl", "enable", "--now", "rexec.socket")
	runsACommand(t, "after systemctl enable --now")

	// What waits, and who starts it, is the new program after an upgrade.
	lab.Run(t, "systemctl", "disable", "--now", "rexec.socket")
	lab.Run(t, "systemctl", "enable", "--now", "rexec-standby.socket")
	runsACommand(t, "with processes kept ready")
	dpkg(t, "--force-confold", "-i", built(t, "rexecd"))
	lab.Eventually(t, "nobody runs the program that was replaced", func() bool {
		links, _ := filepath.Glob("/proc/[0-9]*/exe")
		return !slices.ContainsFunc(links, func(link string) bool {
			to, _ := os.Readlink(link)
			return (strings.HasPrefix(to, "/usr/sbin/in.rexecd") || strings.HasPrefix(to, "/usr/sbin/rexecd")) && strings.HasSuffix(to, " (deleted)")
		})
	})
	runsACommand(t, "after the upgrade, with processes kept ready")

	dpkg(t, "-P", "rexecd", "rexec")
	if left := added(before, files(t)); len(left) != 0 {
		t.Errorf("left after purge:\n%s", strings.Join(left, "\n"))
	}
	if missing := added(files(t), before); len(missing) != 0 {
		t.Errorf("not ours and gone:\n%s", strings.Join(missing, "\n"))
	}
}

func runsACommand(t *testing.T, when string) {
	t.Helper()
	out, err := exec.Command("rexec", "-l", "alice", "-p", "correct-horse", "127.0.0.1", "id -un; echo complaint >&2").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "alice\n") || !strings.Contains(string(out), "complaint\n") {
		t.Errorf("%s: rexec: %v\n%s", when, err, out)
	}
}

// nextVersion is the server's package with a higher version and another /etc/rexecd.toml.
func nextVersion(t *testing.T) string {
	t.Helper()
	dir := t.TempDir() + "/p"
	lab.Run(t, "dpkg-deb", "-R", built(t, "rexecd"), dir)
	for path, edit := range map[string]func(string) string{
		"/DEBIAN/control": func(s string) string {
			return strings.Replace(s, "\nVersion: ", "\nVersion: 1:", 1)
		},
		"/etc/rexecd.toml": func(s string) string { return "# new\n" + s },
	} {
		text, err := os.ReadFile(dir + path)
		if err == nil {
			err = os.WriteFile(dir+path, []byte(edit(string(text))), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	lab.Run(t, "dpkg-deb", "-b", dir, dir+".deb")
	return dir + ".deb"
}

// files lists the host's files, but for what dpkg, systemd and login keep about everybody.
func files(t *testing.T) []string {
	t.Helper()
	all := lab.Run(t, "find", "/", "-xdev", "(",
		"-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/run", "-o", "-path", "/dev", "-o", "-path", "/tmp", "-o", "-path", "/home", "-o",
		"-path", "/root", "-o", "-path", "/work", "-o", "-path", "/var/tmp", "-o", "-path", "/var/log", "-o", "-path", "/var/cache", "-o", "-path", "/var/lib/dpkg", "-o", "-path", "/var/lib/ucf", "-o",
		"-path", "/var/lib/systemd/catalog", "-o", "-path", "/var/lib/systemd/timers", "-o", "-path", "/var/lib/systemd/random-seed",
		")", "-prune", "-o", "-print")
	list := strings.Split(strings.TrimSpace(all), "\n")
	slices.Sort(list)
	return list
}

// added returns what is in b and not in a; both are sorted.
func added(a, b []string) []string {
	var more []string
	for _, f := range b {
		if _, found := slices.BinarySearch(a, f); !found {
			more = append(more, f)
		}
	}
	return more
}
