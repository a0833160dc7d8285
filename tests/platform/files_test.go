package platform

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The ids are written in three places, for three readers.
func TestTheMessageIDsAgree(t *testing.T) {
	id := regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	ids := func(path string) []string {
		found := id.FindAllString(read(t, lab.Root(t)+path), -1)
		slices.Sort(found)
		return found
	}
	server, catalog, manual := ids("/pkg/audit/audit.go"), ids("/systemd/rexecd.catalog"), ids("/cmd/in.rexecd/in.rexecd.8")
	if len(server) == 0 || !slices.Equal(server, catalog) || !slices.Equal(server, manual) {
		t.Errorf("pkg/audit  %q\ncatalog    %q\nin.rexecd.8 %q", server, catalog, manual)
	}
}

// Every setting that the shipped file shows, with the "#" taken away, is one that the server
// takes, and the manual has it.
func TestTheShippedSettingsAreTheServers(t *testing.T) {
	prepareHost(t)
	setting := regexp.MustCompile(`(?m)^#(\[?[a-z][a-z_0-9]*(?:\]| = ))`)
	text := setting.ReplaceAllString(read(t, lab.Root(t)+"/packaging/rexecd.toml"), "$1")
	file := filepath.Join(t.TempDir(), "all.toml")
	write(t, file, text)
	out, _ := exec.Command(rexecd, "-check", "-config", file).CombinedOutput()
	if !strings.Contains(string(out), "settings: "+file+"\n") {
		t.Errorf("rexecd -check with every setting on says\n%s", out)
	}
	manual := read(t, lab.Root(t)+"/cmd/rexecd/rexecd.toml.5")
	for _, m := range regexp.MustCompile(`(?m)^([a-z_0-9]+) = `).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(manual, ".It Cm "+m[1]+" No = ") {
			t.Errorf("rexecd.toml(5) says nothing of %s", m[1])
		}
	}
	if n := strings.Count(text, " = "); n < 10 {
		t.Errorf("the shipped file shows %d settings", n)
	}
}

// -h is a program's own list of flags.
func TestTheManualsAndTheCompletionsHaveEveryFlag(t *testing.T) {
	prepareHost(t)
	for program, atLeast := range map[string]int{"in.rexecd": 2, "rexecd": 11} {
		usage := lab.Run(t, filepath.Join(filepath.Dir(installed), program), "-h")
		manual := read(t, lab.Root(t)+"/cmd/"+program+"/"+program+".8")
		if program == "rexecd" {
			manual += read(t, lab.Root(t)+"/cmd/rexecd/rexecd-report.8")
		}
		bash, zsh := read(t, lab.Root(t)+"/packaging/completion/"+program+".bash"), read(t, lab.Root(t)+"/packaging/completion/_"+program)
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(`[ [|]-([a-z][a-z-]+)`).FindAllStringSubmatch(usage, -1) {
			name := m[1]
			if name == "mn" || seen[name] {
				continue
			}
			seen[name] = true
			if !strings.Contains(manual, ".It Fl "+name+"\n") && !strings.Contains(manual, ".It Fl "+name+" ") {
				t.Errorf("%s(8) does not describe -%s", program, name)
			}
			if !strings.Contains(bash, "-"+name) || !strings.Contains(zsh, "'-"+name+"[") && !strings.Contains(zsh, ")-"+name+"[") && !strings.Contains(zsh, "'*-"+name+"[") {
				t.Errorf("a completion of %s lacks -%s", program, name)
			}
		}
		if len(seen) < atLeast {
			t.Errorf("%s: found the flags %v in\n%s", program, seen, usage)
		}
	}
}

func TestBashCompletesTheServersFlags(t *testing.T) {
	for program, want := range map[string]string{"rexecd -in": "-install\n", "in.rexecd -con": "-config\n"} {
		name, flag, _ := strings.Cut(program, " ")
		out := lab.Run(t, "bash", "-c", `. "$1"; COMP_WORDS=("$2" "$3"); COMP_CWORD=1; "_${2//./_}"; echo "${COMPREPLY[*]}"`, "bash", lab.Root(t)+"/packaging/completion/"+name+".bash", name, flag)
		if out != want {
			t.Errorf("%s<Tab> gives %q; want %q", program, out, want)
		}
	}
}

// whatis reads the NAME sections of installed manuals.
func TestWhatisKnowsTheManuals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	for _, page := range []string{"in.rexecd/in.rexecd.8", "rexecd/rexecd.8", "rexecd/rexecd-report.8", "rexecd/rexecd.toml.5", "rexecd/rexecd-clients.7", "rexecd/rexecd-migration.7", "rexecd/rexecd-tls.7"} {
		write(t, filepath.Join(dir, "man"+page[len(page)-1:], filepath.Base(page)), read(t, lab.Root(t)+"/cmd/"+page))
	}
	lab.Run(t, "makewhatis", dir)
	for name, want := range map[string]string{
		"in.rexecd": "remote execution server", "rexecd": "administration of the remote execution server", "rexecd.toml": "settings of the remote execution server",
		"rexecd-report": "who uses the remote execution server", "rexecd-clients": "from other systems", "rexecd-migration": "settings of other rexec servers", "rexecd-tls": "rexec with encryption, and many hosts",
	} {
		if out := lab.Run(t, "mwhatis", "-M", dir, name); !strings.Contains(out, want) {
			t.Errorf("whatis %s: %q", name, out)
		}
	}
}

// make install needs no root under a DESTDIR, follows the variables, and uninstall takes back
// what install put there, but not what was edited.
func TestMakeInstallAndUninstall(t *testing.T) {
	lab.AddUser(t, lab.User{Name: "builder", Password: "x"})
	tree := filepath.Join(t.TempDir(), "tree")
	lab.Run(t, "sh", "-c", `mkdir "$2" && cd "$1" && cp -r Makefile go.mod CHANGELOG.md README.md LICENSE SECURITY.md packaging systemd cmd tests "$2" 2>/dev/null; mkdir -p "$2/build"`, "sh", lab.Root(t), tree)
	copyTo(t, lab.Server(t), tree+"/build/in.rexecd", 0o755)
	copyTo(t, lab.Rexecd(t), tree+"/build/rexecd", 0o755)
	copyTo(t, filepath.Dir(lab.Server(t))+"/rexec-tlsd", tree+"/build/rexec-tlsd", 0o755)
	copyTo(t, lab.Client(t), tree+"/build/rexec", 0o755)
	copyTo(t, lab.Rshd(t), tree+"/build/in.rshd", 0o755)
	copyTo(t, lab.Rsh(t), tree+"/build/rsh", 0o755)
	lab.Run(t, "chmod", "-R", "a+rX", filepath.Dir(filepath.Dir(tree)))
	dest := "/home/builder/a dest"
	args := []string{"-u", "builder", "--", "make", "-s", "-C", tree, "DESTDIR=" + dest, "PREFIX=/opt/rexec", "SYSCONFDIR=/opt/etc", "UNITDIR=/opt/units", "PAMFAMILY=suse"}
	lab.Run(t, "runuser", append(args, "install")...)
	for _, f := range []string{"/opt/rexec/sbin/in.rexecd", "/opt/rexec/sbin/rexecd", "/opt/rexec/bin/rexec", "/opt/rexec/share/man/man8/in.rexecd.8", "/opt/rexec/share/man/man8/rexecd.8", "/opt/rexec/share/man/man7/rexecd-migration.7", "/opt/etc/pam.d/rexec", "/opt/etc/rexecd.toml", "/opt/etc/rexecd.toml.d"} {
		if _, err := os.Stat(dest + f); err != nil {
			t.Error(err)
		}
	}
	// rsh's are not part of it.
	rsh := []string{"/opt/rexec/sbin/in.rshd", "/opt/rexec/bin/rsh", "/opt/rexec/share/man/man8/in.rshd.8", "/opt/rexec/share/man/man1/rsh.1", "/opt/etc/pam.d/rsh", "/opt/units/rsh.socket"}
	for _, f := range rsh {
		if _, err := os.Stat(dest + f); err == nil {
			t.Errorf("make install installs %s", f)
		}
	}
	lab.Run(t, "runuser", append(args, "install-rshd", "install-rsh")...)
	for _, f := range rsh {
		if _, err := os.Stat(dest + f); err != nil {
			t.Error(err)
		}
	}
	for unit, program := range map[string]string{"rsh@.service": "in.rshd", "rsh-standby.service": "rexecd", "rexec@.service": "in.rexecd", "rexec-tls@.service": "in.rexecd", "rexec-standby.service": "rexecd"} {
		if text := read(t, dest+"/opt/units/"+unit); !strings.Contains(text, "=/opt/rexec/sbin/"+program) && !strings.Contains(text, "=-/opt/rexec/sbin/"+program) || strings.Contains(text, "/usr/sbin/") {
			t.Errorf("%s does not follow SBINDIR:\n%s", unit, text)
		}
	}
	if !strings.Contains(read(t, dest+"/opt/etc/pam.d/rexec"), "openSUSE") {
		t.Error("PAMFAMILY=suse installed another family's file")
	}
	write(t, dest+"/opt/etc/rexecd.toml", "grace = 30\n")
	lab.Run(t, "runuser", append(args, "install")...)
	if text := read(t, dest+"/opt/etc/rexecd.toml"); text != "grace = 30\n" {
		t.Errorf("a second install overwrote the edited settings: %q", text)
	}
	lab.Run(t, "runuser", append(args, "uninstall", "uninstall-rshd", "uninstall-rsh")...)
	left := strings.Split(strings.TrimSpace(lab.Run(t, "find", "/home/builder", "-path", "*dest*", "(", "-type", "f", "-o", "-type", "l", ")")), "\n")
	if want := []string{dest + "/opt/etc/rexecd.toml"}; !slices.Equal(left, want) {
		t.Errorf("after uninstall: %q; want only what was edited, %q", left, want)
	}
	if _, err := os.Stat(dest + "/opt/etc/rexecd.toml.d"); err == nil {
		t.Error("the empty directory for settings is left")
	}
}

func TestZshFindsTheCompletions(t *testing.T) {
	for _, tt := range []struct{ distro, prefix, want string }{
		{"debian", "/usr", "/usr/share/zsh/vendor-completions"},
		{"debian", "/usr/local", "/usr/local/share/zsh/site-functions"},
		{"fedora", "/usr", "/usr/share/zsh/site-functions"},
		{"other", "/usr", "/usr/share/zsh/site-functions"},
	} {
		out := lab.Run(t, "make", "-C", lab.Root(t), "-n", "install-server", "DISTRO="+tt.distro, "PREFIX="+tt.prefix, "DESTDIR=/dest")
		if !strings.Contains(out, `"/dest`+tt.want+`/_$p"`) {
			t.Errorf("%s, PREFIX=%s: not in %s:\n%s", tt.distro, tt.prefix, tt.want, out)
		}
		// This host is a Debian.
		if fpath := lab.Run(t, "zsh", "-fc", "print -l $fpath"); tt.distro == "debian" && !strings.Contains(fpath, tt.want+"\n") {
			t.Errorf("zsh looks in\n%s", fpath)
		}
	}
}

// firewalld's own reader, out of its package.
func TestFirewalldReadsTheServiceFile(t *testing.T) {
	cmd := exec.Command("/usr/bin/python3", "-c",
		"from firewall.core.io.service import service_reader; import sys; print([service_reader(f, sys.argv[1]).ports for f in ('rexec.xml', 'rsh.xml')])", lab.Root(t)+"/packaging/firewalld")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+lab.Deb(t, "python3-firewall")+"/usr/lib/python3/dist-packages")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "[[('512', 'tcp')], [('514', 'tcp')]]\n" {
		t.Errorf("firewalld reads ports %s, %v", out, err)
	}
}
