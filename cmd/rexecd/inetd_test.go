package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnInetdLineForPort512IsRecognised(t *testing.T) {
	for _, c := range []struct {
		line, server, args string
		wait               bool
	}{
		{"exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd", "/usr/sbin/in.rexecd", "", false},
		{"exec\tstream\ttcp6\tnowait.6000\troot\t/usr/sbin/in.rexecd\tin.rexecd -m -n", "/usr/sbin/in.rexecd", "-m -n", false},
		{"512 stream tcp nowait root /usr/sbin/in.rexecd\r\n", "/usr/sbin/in.rexecd", "", false},
		{"127.0.0.1:exec stream tcp wait.10 root /opt/other other -x", "/opt/other", "-x", true},
		{"exec stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.rexecd -n", "/usr/sbin/in.rexecd", "-n", false},
		{"exec stream tcp nowait root /usr/sbin/tcpd in.rexecd", "/usr/sbin/in.rexecd", "", false},
		{" exec stream tcp nowait\n\troot /usr/sbin/in.rexecd\n\tin.rexecd -m\n", "/usr/sbin/in.rexecd", "-m", false},
		{"#exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd", "", "", false},
		{"#<off># exec stream tcp nowait root /usr/sbin/in.rexecd", "", "", false},
		{"shell stream tcp nowait root /usr/sbin/in.rshd in.rshd", "", "", false},
		{"exec stream udp wait root /usr/sbin/in.rexecd", "", "", false},
		{"", "", "", false},
	} {
		for _, before := range []string{"", "# comment\n", "ftp stream tcp nowait root /ftpd ftpd\n\n"} {
			all := inetdEntries(before + c.line)
			e := inetdEntry{}
			if len(all) > 0 {
				e = all[len(all)-1]
			}
			if !e.active() {
				e = inetdEntry{}
			}
			if e.server != c.server || strings.Join(e.args, " ") != c.args || e.wait != c.wait {
				t.Errorf("after %q, %q is %+v; want server %q, arguments %q, wait %v", before, c.line, e, c.server, c.args, c.wait)
			}
			if e.active() && e.line != strings.Count(before, "\n")+1 {
				t.Errorf("after %q, the line is %d", before, e.line)
			}
		}
	}
}

func TestInetdConfIsTheSameAfterInstallAndRemove(t *testing.T) {
	for _, before := range []string{
		"", "# mine\n",
		"ftp stream tcp nowait root /ftpd ftpd\n#exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n",
		"ftp stream tcp nowait root /ftpd ftpd\r\n",
		"ftp\tstream tcp nowait root /ftpd\n  ftpd -l\n\n",
		"#<off># exec stream tcp nowait root /nowhere/tcpd /nowhere/in.rexecd\n", // netkit's, long gone
	} {
		with, err := addInetd(before, "/usr/sbin/in.rexecd")
		if err != nil || !strings.HasPrefix(with, before) || !strings.Contains(with, "\t/usr/sbin/in.rexecd\t") {
			t.Fatalf("addInetd(%q) = %q, %v", before, with, err)
		}
		if again, err := addInetd(with, "/usr/sbin/in.rexecd"); err != nil || again != with {
			t.Errorf("addInetd a second time = %q, %v; want no change", again, err)
		}
		if after := removeInetd(with); after != before {
			t.Errorf("removeInetd = %q; want %q", after, before)
		}
	}
	with, err := addInetd("# no newline", "/usr/sbin/in.rexecd")
	if err != nil || !strings.HasPrefix(with, "# no newline\nexec\t") {
		t.Errorf("after a file without a final newline: %q, %v", with, err)
	}
}

// What an administrator wrote is switched off and on again, byte by byte: tcpd,
// an address, options and lines that continue it are theirs.
func TestAnAdministratorsInetdLineIsSwitchedOffAndRestored(t *testing.T) {
	dir := t.TempDir()
	server, tcpd := filepath.Join(dir, "in.rexecd"), filepath.Join(dir, "tcpd")
	for _, path := range []string{server, tcpd} {
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const ftp, comment = "ftp stream tcp nowait root /ftpd ftpd\n", "# between\n"
	for _, mine := range []string{
		"exec stream tcp nowait root " + tcpd + " " + server + "\n",
		"192.0.2.1:exec\tstream\ttcp\tnowait\troot\t" + server + "\tin.rexecd -n\r\n",
		"exec stream tcp nowait\n\troot " + server + "\n in.rexecd -m\n",
		"exec stream tcp nowait root " + server + " in.rexecd\n" + "exec stream tcp6 nowait root " + server + " in.rexecd\n",
		"exec stream tcp nowait root " + server + " in.rexecd", // no newline
	} {
		for _, after := range []string{"", ftp, comment + ftp} {
			if after != "" && !strings.HasSuffix(mine, "\n") {
				continue
			}
			conf := ftp + comment + mine + after
			off := removeInetd(conf)
			for _, e := range inetdEntries(off) {
				if e.active() {
					t.Errorf("%q is still on in\n%s", e.text, off)
				}
			}
			if !strings.HasPrefix(off, ftp+comment+offMark+" ") || !strings.HasSuffix(off, after) || strings.Count(off, "\n") != strings.Count(conf, "\n") {
				t.Errorf("removeInetd of\n%s\n=\n%s", conf, off)
			}
			if again := removeInetd(off); again != off {
				t.Errorf("removeInetd a second time =\n%s", again)
			}
			if on, err := addInetd(off, "/usr/sbin/in.rexecd"); err != nil || on != conf {
				t.Errorf("addInetd =\n%s\n%v; want\n%s", on, err, conf)
			}
		}
	}
	// Two that want one socket: the later one.
	older, newer := "exec stream tcp nowait root "+tcpd+" "+server+"\n", "exec stream tcp nowait root "+server+" in.rexecd -m\n"
	on, err := addInetd(offMark+" "+older+offMark+" "+newer, server)
	if want := offMark + " " + older + newer; err != nil || on != want {
		t.Errorf("of two lines: %q, %v; want %q", on, err, want)
	}
	if on, err := addInetd(offMark+" exec stream tcp nowait root /opt/rexecd.netkit in.rexecd.netkit\n", server); err != nil || !strings.HasPrefix(on, offMark) {
		t.Errorf("another server's line was switched on: %q, %v", on, err)
	}
}

func TestOnlyALineThatInstallWroteGivesWayToTcp6(t *testing.T) {
	four, six := inetdLine("tcp", "/usr/sbin/in.rexecd"), inetdLine("tcp6", "/usr/sbin/in.rexecd")
	if got := dropIPv4(four + six); got != six {
		t.Errorf("dropIPv4 = %q", got)
	}
	const mine = "192.0.2.1:exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n"
	for _, conf := range []string{mine, four, mine + six} {
		if got := dropIPv4(conf); got != conf {
			t.Errorf("dropIPv4 made %q of %q", got, conf)
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
}
