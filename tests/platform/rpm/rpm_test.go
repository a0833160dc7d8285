// Package rpm installs the rpm packages into a private host, which has rpm and an empty database
// of packages, and takes them away again.
package rpm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// built returns the paths of the packages in build/packages that match.
func built(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob("../../../build/packages/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no packages %s, %v; run make rpm", pattern, err)
	}
	return files
}

func TestTheFilesAndTheirKinds(t *testing.T) {
	for _, family := range []struct{ file, auth string }{
		{"rexecd-*-1.x86_64.rpm", "auth       substack     password-auth"},
		{"rexecd-*-1.suse.x86_64.rpm", "auth       include      common-auth"},
	} {
		p := built(t, family.file)[0]
		config := strings.Fields(lab.Run(t, "rpm", "-qp", "--configfiles", p))
		want := []string{"/etc/fail2ban/filter.d/rexecd.conf", "/etc/fail2ban/jail.d/rexecd.conf", "/etc/pam.d/rexec", "/etc/rexecd.toml", "/etc/xinetd.d/rexec"}
		if !slices.Equal(config, want) {
			t.Errorf("%s: configuration files %q; want %q", family.file, config, want)
		}
		list := strings.Split(lab.Run(t, "rpm", "-qlp", p), "\n")
		for _, f := range []string{"/usr/sbin/in.rexecd", "/usr/sbin/rexecd", "/usr/sbin/rexec-tlsd", "/usr/lib/systemd/system/rexec.socket", "/usr/lib/systemd/system/rexec@.service",
			"/usr/lib/systemd/catalog/rexecd.catalog", "/usr/lib/sysusers.d/rexecd.conf", "/usr/lib/firewalld/services/rexec.xml", "/usr/share/man/man8/in.rexecd.8.gz",
			"/usr/share/man/man8/rexecd.8.gz", "/usr/share/man/man5/rexecd.toml.5.gz", "/usr/share/man/man7/rexecd-clients.7.gz", "/usr/share/doc/rexecd/SECURITY.md", "/etc/rexecd.toml.d",
			"/usr/share/doc/rexecd/job.conf", "/usr/share/doc/rexecd/job.pam"} {
			if !slices.Contains(list, f) {
				t.Errorf("%s: no %s", family.file, f)
			}
		}
		dir := t.TempDir()
		lab.Run(t, "sh", "-c", `rpm2cpio "$1" | (cd "$2" && cpio --quiet -id)`, "sh", p, dir)
		if stack, err := os.ReadFile(dir + "/etc/pam.d/rexec"); err != nil || !strings.Contains(string(stack), family.auth) {
			t.Errorf("%s: the PAM file is another family's: %v\n%s", family.file, err, stack)
		}
	}
	if list := lab.Run(t, "rpm", "-qlp", built(t, "rexec-*.rpm")[0]); !strings.Contains(list, "/usr/bin/rexec\n") || !strings.Contains(list, "/man1/rexec.1.gz\n") {
		t.Errorf("the client's files:\n%s", list)
	}
}

func TestRshsFilesAndTheirKinds(t *testing.T) {
	for file, auth := range map[string]string{
		"rshd-*-1.x86_64.rpm": "auth       substack     password-auth", "rshd-*-1.suse.x86_64.rpm": "auth       include      common-auth",
	} {
		p := built(t, file)[0]
		if config := strings.Fields(lab.Run(t, "rpm", "-qp", "--configfiles", p)); !slices.Equal(config, []string{"/etc/pam.d/rsh", "/etc/xinetd.d/rsh"}) {
			t.Errorf("%s: configuration files %q", file, config)
		}
		list := strings.Split(lab.Run(t, "rpm", "-qlp", p), "\n")
		for _, f := range []string{"/usr/sbin/in.rshd", "/usr/lib/systemd/system/rsh.socket", "/usr/lib/systemd/system/rsh@.service",
			"/usr/lib/systemd/system/rsh-standby.socket", "/usr/lib/systemd/system/rsh-standby.service", "/usr/lib/firewalld/services/rsh.xml",
			"/usr/share/man/man8/in.rshd.8.gz"} {
			if !slices.Contains(list, f) {
				t.Errorf("%s: no %s", file, f)
			}
		}
		stack := lab.Run(t, "sh", "-c", `rpm2cpio "$1" | cpio --quiet -i --to-stdout ./etc/pam.d/rsh`, "sh", p)
		if !strings.Contains(stack, auth) || !strings.Contains(stack, "\n#auth       sufficient   pam_rhosts.so\n") {
			t.Errorf("%s: the PAM file is\n%s", file, stack)
		}
		if needs := lab.Run(t, "rpm", "-qpR", p); !strings.Contains(needs, "rexecd = ") {
			t.Errorf("%s needs\n%s", file, needs)
		}
	}
}

// Nothing but the capability differs from what the package holds.
func TestRshHasItsRight(t *testing.T) {
	lab.Run(t, "mkdir", "-p", "/var/lib/rpm")
	lab.Run(t, "rpm", "--initdb")
	lab.Run(t, "rm", "-f", "/usr/bin/rsh", "/usr/share/man/man1/rsh.1.gz") // Debian's alternatives
	lab.Run(t, "rpm", "-i", "--nodeps", built(t, "rsh-*-1.x86_64.rpm")[0])
	if caps := strings.TrimSpace(lab.Run(t, "getcap", "/usr/bin/rsh")); caps != "/usr/bin/rsh cap_net_bind_service=ep" {
		t.Errorf("the capabilities of rsh: %q", caps)
	}
	if out, _ := exec.Command("rpm", "-V", "--nodeps", "rsh").Output(); string(out) != "........P    /usr/bin/rsh\n" && len(out) != 0 {
		t.Errorf("rpm -V: %s", out)
	}
	lab.Run(t, "rpm", "-e", "rsh")
}

// With absolute names, `rpm2cpio package | cpio -id` writes to the host, not to the directory
// that one is in.
func TestThePayloadUnpacksWhereOneIs(t *testing.T) {
	for _, p := range built(t, "*.rpm") {
		names := strings.Fields(lab.Run(t, "sh", "-c", `rpm2cpio "$1" | cpio --quiet -t`, "sh", p))
		var relative []string
		for _, f := range strings.Fields(lab.Run(t, "rpm", "-qlp", p)) {
			relative = append(relative, "."+f)
		}
		slices.Sort(names)
		slices.Sort(relative)
		if len(names) == 0 || !slices.Equal(names, relative) {
			t.Errorf("%s holds %q; want the names that rpm -qlp lists, relative", p, names)
		}
		checked := lab.Run(t, "rpm", "-Kv", p)
		if !strings.Contains(checked, "Header SHA256 digest: OK") || !strings.Contains(checked, "Payload SHA256 digest: OK") {
			t.Errorf("rpm -Kv says %s", checked)
		}
	}
}

func TestTheyInstallUnderAnotherRoot(t *testing.T) {
	dir := t.TempDir()
	// The scriptlets need a shell there.
	packages := []string{built(t, "rexecd-*-1.x86_64.rpm")[0], built(t, "rexec-*-1.x86_64.rpm")[0]}
	lab.Run(t, "rpm", append([]string{"--root", dir, "-i", "--nodeps", "--noscripts"}, packages...)...)
	for _, name := range []string{"rexecd", "rexec"} {
		if out := lab.Run(t, "rpm", "--root", dir, "-V", "--nodeps", name); out != "" {
			t.Errorf("rpm -V %s:\n%s", name, out)
		}
	}
	for _, f := range []string{"/usr/sbin/in.rexecd", "/usr/bin/rexec", "/etc/rexecd.toml"} {
		if _, err := os.Stat(dir + f); err != nil {
			t.Error(err)
		}
	}
}

// --nodeps: the host is a Debian, whose libraries rpm does not know.
func TestInstallEditUpgradeErase(t *testing.T) {
	server := built(t, "rexecd-*-1.x86_64.rpm")[0]
	// The last two are of the distribution's package "filesystem".
	lab.Run(t, "mkdir", "-p", "/var/lib/rpm", "/etc/xinetd.d", "/usr/share/zsh/site-functions")
	lab.Run(t, "rpm", "--initdb")
	before := files(t)
	lab.Run(t, "rpm", "-i", "--nodeps", server)
	if out, err := exec.Command("in.rexecd", "-version").Output(); err != nil || !strings.HasPrefix(string(out), "in.rexecd ") {
		t.Errorf("in.rexecd -version: %q, %v", out, err)
	}
	if st, err := os.Stat("/etc/systemd/system/sockets.target.wants/rexec.socket"); err == nil {
		t.Errorf("installation enabled the socket: %v", st.Name())
	}

	// With no systemd, the removal scriptlet's rexecd -remove takes the line out.
	if err := os.WriteFile("/etc/inetd.conf", []byte("# the site's own\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lab.Run(t, "rexecd", "-install")
	if err := os.WriteFile("/etc/rexecd.toml", []byte("log_command = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lab.Run(t, "rpm", "-U", "--nodeps", "--replacepkgs", server)
	if text, err := os.ReadFile("/etc/rexecd.toml"); err != nil || string(text) != "log_command = true\n" {
		t.Errorf("after the upgrade /etc/rexecd.toml is %q, %v", text, err)
	}
	if text, _ := os.ReadFile("/etc/inetd.conf"); !strings.Contains(string(text), "in.rexecd") {
		t.Errorf("the upgrade took the line out of /etc/inetd.conf: %q", text)
	}

	lab.Run(t, "rpm", "-e", "rexecd")
	if text, _ := os.ReadFile("/etc/inetd.conf"); string(text) != "# the site's own\n" {
		t.Errorf("after removal /etc/inetd.conf is %q", text)
	}
	os.Remove("/etc/inetd.conf")
	var left []string
	for _, f := range files(t) {
		if _, old := slices.BinarySearch(before, f); !old && f != "/etc/rexecd.toml.rpmsave" {
			left = append(left, f)
		}
	}
	if len(left) != 0 {
		t.Errorf("left after removal:\n%s", strings.Join(left, "\n"))
	}
}

func files(t *testing.T) []string {
	t.Helper()
	all := lab.Run(t, "find", "/etc", "/usr", "/var/lib", "-xdev", "-path", "/var/lib/rpm", "-prune", "-o", "-path", "/var/lib/systemd/catalog", "-prune", "-o", "-print")
	list := strings.Split(strings.TrimSpace(all), "\n")
	slices.Sort(list)
	return list
}

func TestRpmlintFindsNothing(t *testing.T) {
	for _, p := range built(t, "*.rpm") {
		out, err := exec.Command("rpmlint", "-c", "../../../packaging/rpmlint.toml", p).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "0 errors, 0 warnings") {
			t.Errorf("rpmlint %s: %v\n%s", filepath.Base(p), err, out)
		}
	}
}
