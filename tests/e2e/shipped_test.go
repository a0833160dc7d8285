package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// shippedStack is the service file that is installed on this family of systems.
func shippedStack(t testing.TB) string {
	t.Helper()
	for family, has := range map[string]string{"debian": "/etc/debian_version", "fedora": "/etc/redhat-release", "suse": "/etc/products.d"} {
		if _, err := os.Stat(has); err == nil {
			b, err := os.ReadFile("../../packaging/pam.d/" + family)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	t.Fatal("this host is of no family that packaging/pam.d has a file for")
	return ""
}

func TestTheShippedPAMFileWorksOnThisHost(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	change := exec.Command("chpasswd") // with the host's own kind of hash
	change.Stdin = strings.NewReader(u.Name + ":" + u.Password + "\n")
	if out, err := change.CombinedOutput(); err != nil {
		t.Fatalf("chpasswd: %v\n%s", err, out)
	}
	s := serve(t, lab.Handler{Room: lab.Room{Stack: shippedStack(t)}})
	wantOut(t, s.Addr, request(u, "id -un; cat /proc/self/loginuid; umask"), u.Name+"\n"+uid(t, u)+"0022\n")
	begin := time.Now()
	wantAll(t, s.Addr, lab.Request{User: u.Name, Password: "x", Command: "id"}, loginIncorrect)
	if took := time.Since(begin); took < 400*time.Millisecond { // the server delays every refusal
		t.Errorf("a wrong password was answered after %v", took)
	}
	// The only stack of these tests that looks at this file.
	if err := os.WriteFile("/etc/nologin", []byte("Closed for today.\nCome back.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove("/etc/nologin")
	wantAll(t, s.Addr, request(u, "id -un"), "\x01Closed for today.\n")
}

// check runs rexecd -check among the room's files.
func check(t testing.TB, room lab.Room, args ...string) (text string, status int) {
	t.Helper()
	o := &output{}
	cmd := exec.Command(lab.Rexecd(t), append([]string{"-check"}, args...)...)
	cmd.Stdout, cmd.Stderr = o, o
	room.Command(t, cmd)
	cmd.Wait()
	return o.String(), cmd.ProcessState.ExitCode()
}

func TestCheckSaysWhatIsMissingAndWhatToDo(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(openDir(t), "rexecd.toml")
	if err := os.WriteFile(conf, []byte("grace = 10\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	services := read("/etc/services")
	without := strings.ReplaceAll(services, "exec\t", "nothing\t")
	if without == services {
		t.Fatal("/etc/services has no line for exec: is netbase installed?")
	}
	for _, c := range []struct {
		name, about string
		room        lab.Room
		args        []string
		mark        string
	}{
		{"settings", conf, lab.Room{}, []string{"-config", conf}, "ok "},
		{"settings missing", "/nowhere.toml", lab.Room{}, []string{"-config", "/nowhere.toml"}, "FAIL "},
		{"PAM file", "/etc/pam.d/rexec", lab.Room{}, nil, "ok "},
		{"PAM file without a session", "/etc/pam.d/rexec", lab.Room{Stack: "auth required pam_unix.so\naccount required pam_unix.so\n"}, nil, "FAIL "},
		{"services", "services", lab.Room{}, nil, "ok "},
		{"services without exec", "services", lab.Room{Files: map[string]string{"/etc/services": without}}, nil, "note "},
		{"services without exec for inetd", "services", lab.Room{Files: map[string]string{
			"/etc/services": without, "/etc/inetd.conf": "exec stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n",
		}}, nil, "FAIL "},
		{"services without exec for inetd by number", "services", lab.Room{Files: map[string]string{
			"/etc/services": without, "/etc/inetd.conf": "512 stream tcp nowait root /usr/sbin/in.rexecd in.rexecd\n",
		}}, nil, "note "},
		{"journal", "journald", lab.Room{}, nil, "ok "},
		{"syslog", "syslog", lab.Room{NoJournal: true}, nil, "ok "},
		{"no log", "journald", lab.Room{NoJournal: true, NoSyslog: true}, nil, "FAIL "},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, status := check(t, c.room, c.args...)
			found, failed := false, false
			for line := range strings.Lines(text) {
				failed = failed || strings.HasPrefix(line, "FAIL ")
				found = found || strings.HasPrefix(line, c.mark) && strings.Contains(line, c.about)
			}
			if !found {
				t.Errorf("no line %q about %s in %q", c.mark, c.about, text)
			}
			if (status == 1) != failed || status > 1 {
				t.Errorf("status %d for %q", status, text)
			}
		})
	}
}

func TestCheckSaysWhoListens(t *testing.T) {
	text, status := check(t, lab.Room{})
	wantMatch(t, "-check", text, `.*\nFAIL [ -~]*512[ -~]*nobody listens[ -~]*\n.*`)
	if status != 1 {
		t.Errorf("status %d", status)
	}
	debug(t, "127.0.0.1:512", lab.Rexecd(t), "-debug")
	text, _ = check(t, lab.Room{})
	wantMatch(t, "-check", text, `.*\nok [ -~]*512[ -~]*`+regexp.QuoteMeta(filepath.Base(lab.Rexecd(t)))+`[ -~]*\n.*`)
}

func TestCheckWithoutRootNamesTheMissingPrivileges(t *testing.T) {
	t.Parallel()
	stdout, _, status := run(t, exec.Command("setpriv", "--reuid", "65534", "--clear-groups", lab.Rexecd(t), "-check"))
	wantMatch(t, "-check", stdout, `.*FAIL [ -~]*cap_setuid[ -~]*\n.*`)
	if status != 1 {
		t.Errorf("status %d", status)
	}
}
