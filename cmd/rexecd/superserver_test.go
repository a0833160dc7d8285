package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAnInetdLineForPort512IsRecognised(t *testing.T) {
	for _, c := range []struct {
		line, server string
		ok           bool
	}{
		{"exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd", "/usr/sbin/in.rexecd", true},
		{"exec\tstream\ttcp6\tnowait.6000\troot\t/usr/sbin/in.rexecd\tin.rexecd", "/usr/sbin/in.rexecd", true},
		{"512 stream tcp nowait root /usr/sbin/in.rexecd", "/usr/sbin/in.rexecd", true},
		{"127.0.0.1:exec stream tcp nowait root /opt/other other", "/opt/other", true},
		{"exec stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.rexecd", "/usr/sbin/in.rexecd", true},
		{"#exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd", "", false},
		{"#<off># exec stream tcp nowait root /usr/sbin/in.rexecd", "", false},
		{"shell stream tcp nowait root /usr/sbin/in.rshd in.rshd", "", false},
		{"exec stream udp wait root /usr/sbin/in.rexecd", "", false},
		{"", "", false},
	} {
		if server, ok := execLine(c.line); server != c.server || ok != c.ok {
			t.Errorf("execLine(%q) = %q, %v; want %q, %v", c.line, server, ok, c.server, c.ok)
		}
	}
}

func TestInetdConfIsTheSameAfterInstallAndRemove(t *testing.T) {
	for _, before := range []string{"", "# mine\n", "ftp stream tcp nowait root /ftpd ftpd\n#exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n"} {
		with, err := addInetd(before, "/usr/sbin/in.rexecd")
		if err != nil || !strings.Contains(with, "\t/usr/sbin/in.rexecd\t") {
			t.Fatalf("addInetd(%q) = %q, %v", before, with, err)
		}
		if again, err := addInetd(with, "/usr/sbin/in.rexecd"); err != nil || again != with {
			t.Errorf("addInetd a second time = %q, %v; want no change", again, err)
		}
		if after := removeInetd(with); after != before {
			t.Errorf("removeInetd = %q; want %q", after, before)
		}
	}
}

func TestAnotherServersEntryIsLeftAlone(t *testing.T) {
	const netkit = "exec stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.rexecd.netkit\n"
	if _, err := addInetd("\n"+netkit, "/usr/sbin/in.rexecd"); err == nil || !strings.Contains(err.Error(), "line 2 of /etc/inetd.conf") {
		t.Errorf("addInetd beside another server's entry: %v; want an error that names the line", err)
	}
	if got := removeInetd(netkit); got != netkit {
		t.Errorf("removeInetd took another server's entry out: %q", got)
	}
	if _, err := addXinetd("service exec\n{\n\tserver = /opt/rexecd\n}\n", "/usr/sbin/in.rexecd"); err == nil {
		t.Error("addXinetd switched another server's entry on")
	}
}

func TestTheXinetdEntryIsSwitchedAndKept(t *testing.T) {
	shipped, err := os.ReadFile("../../packaging/xinetd")
	if err != nil {
		t.Fatal(err)
	}
	on, err := addXinetd(string(shipped), "/usr/sbin/in.rexecd")
	if err != nil || strings.Count(on, "disable\t\t= no\n") != 1 || strings.Contains(on, "= yes") {
		t.Fatalf("addXinetd = %q, %v; want it switched on", on, err)
	}
	if off := removeXinetd(on); off != string(shipped) {
		t.Errorf("removeXinetd = %q; want what was shipped", off)
	}
	if got := setDisable("service exec\n{\n\tserver = x\n}\n", "yes"); got != "service exec\n{\n\tdisable\t\t= yes\n\tserver = x\n}\n" {
		t.Errorf("an entry without the attribute became %q", got)
	}
	fresh, err := addXinetd("", "/opt/in.rexecd")
	if err != nil || !strings.Contains(fresh, "= /opt/in.rexecd\n") {
		t.Errorf("addXinetd with no entry = %q, %v", fresh, err)
	}
}

func TestOnlyOurXinetdEntryIsSwitched(t *testing.T) {
	const server = "\tserver = /usr/sbin/in.rexecd\n}\n"
	for _, head := range []string{"service exec\n{\n", "service exec\r\n{\r\n", "service exec\n{ \n", "service exec {\n", "service\texec\n{\n"} {
		off := removeXinetd(head + server)
		if !strings.Contains(off, "disable\t\t= yes\n") {
			t.Errorf("%q stays on: %q", head+server, off)
		}
		if xinetdEnabled(off) || !xinetdEnabled(head+server) {
			t.Errorf("%q: enabled %v; off: %v", head, xinetdEnabled(head+server), xinetdEnabled(off))
		}
	}
	for _, theirs := range []string{"service exec\n{\n\tdisable = no\n\tserver = /usr/libexec/rexecd\n}\n", "# nothing\n"} {
		if got := removeXinetd(theirs); got != theirs {
			t.Errorf("%q became %q", theirs, got)
		}
	}
	const login = "service login\n{\n\tdisable = no\n\tserver = /usr/sbin/in.rlogind\n}\n"
	both := login + "service exec\n{\n\tdisable = no\n" + server
	for _, conf := range []string{both, both + login} {
		off := removeXinetd(conf)
		if want := strings.Replace(conf, "exec\n{\n\tdisable = no", "exec\n{\n\tdisable = yes", 1); off != want {
			t.Errorf("beside another service: %q; want %q", off, want)
		}
		if on, err := addXinetd(off, "/x"); on != conf || err != nil {
			t.Errorf("switched on again: %q, %v; want %q", on, err, conf)
		}
	}
	got, err := addXinetd("# only a comment", "/x/in.rexecd")
	if err != nil || !strings.HasPrefix(got, "# only a comment\nservice exec\n{\n\tdisable\t\t= no\n") {
		t.Errorf("addXinetd to a comment = %q, %v", got, err)
	}
}

func TestRewriteLosesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "inetd.conf")
	if err := os.WriteFile(file, []byte("a\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	label := "security.rexec-test" // as SELinux' is; for root
	if os.Geteuid() != 0 {
		label = "user.rexec-test"
	}
	if err := unix.Setxattr(file, label, []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	add := func(s string) (string, error) { return s + "ours\n", nil }
	if changed, err := rewrite(file, add); !changed || err != nil {
		t.Fatalf("rewrite = %v, %v", changed, err)
	}
	value := make([]byte, 10)
	if n, err := unix.Getxattr(file, label, value); err != nil || string(value[:n]) != "v" {
		t.Errorf("the attribute is %q, %v", value[:max(n, 0)], err)
	}
	_, err := rewrite(file, func(s string) (string, error) {
		return s + "ours\n", os.WriteFile(file, []byte("the administrator's\n"), 0o640)
	})
	if text, _ := os.ReadFile(file); err == nil || string(text) != "the administrator's\n" {
		t.Errorf("edited meanwhile: %q, %v; want the edit kept, and an error", text, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := rewrite(link, add); err == nil {
		t.Error("a link to nowhere was replaced")
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("%d files left, want 2", len(names))
	}
}

func TestRewriteKeepsModeAndSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	changed, err := rewrite(link, func(s string) (string, error) { return s + "+new", nil })
	if err != nil || !changed {
		t.Fatalf("rewrite = %v, %v", changed, err)
	}
	text, _ := os.ReadFile(file)
	st, err := os.Lstat(file)
	if err != nil || string(text) != "old+new" || st.Mode() != 0o640 {
		t.Errorf("the file is %q, %v, %v", text, st.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != file {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("%d files left, want 2", len(names))
	}
	if changed, err := rewrite(link, func(s string) (string, error) { return s, nil }); changed || err != nil {
		t.Errorf("rewrite without a change = %v, %v", changed, err)
	}
}

func TestTheKernelsTableTellsWhoListens(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0200 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:0200 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 0100007F:0201 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
   3: 00000000000000000000000000000000:0200 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4714 1
`
	if got := strings.Join(listening(table, 512), " "); got != "4711 4714" {
		t.Errorf("listening = %q; want the two sockets in LISTEN on port 512", got)
	}
}
