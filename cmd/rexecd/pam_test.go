package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pamTree is a directory of service files in place of /etc/pam.d.
func pamTree(t *testing.T) (dir string, write func(name, text string)) {
	t.Helper()
	dir = t.TempDir() + "/"
	saved := pamDirs
	pamDirs = []string{dir}
	t.Cleanup(func() { pamDirs = saved })
	return dir, func(name, text string) {
		t.Helper()
		if err := os.WriteFile(dir+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPamStackIsReadWithWhatItIncludes(t *testing.T) {
	dir, write := pamTree(t)
	write("common", "account required pam_permit.so\nsession required pam_permit.so\n")
	write("loop", "@include loop\nauth required pam_unix.so\n")
	for _, tt := range []struct {
		text string
		bad  int
		want string
	}{
		{"auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n", 0, dir + "rexec, with session lines"},
		{"# comment\nauth\trequired\tpam_unix.so nullok # more\n@include common\n", 0, "with session lines"},
		{"auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\naccount include common\nsession substack common\n", 0, "with session lines"},
		{"auth required \\\n pam_unix.so\naccount required pam_unix.so\n-session optional pam_no_such.so\nsession required pam_unix.so\n", 0, "with session lines"},
		{"auth required pam_unix.so\naccount required pam_unix.so\n", 1, "has no session lines"},
		{"auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_no_such.so\n", 1, "pam_no_such.so, which "},
		{"auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\nsession optional pam_no_such.so\n", 0, "pam_no_such.so, which "},
		{"auth required pam_unix.so\n@include absent\n", 3, "the file absent"},
		{"@include loop\naccount include common\nsession include common\n", 0, "with session lines"},
		{"", 3, "has no auth lines"},
	} {
		write(service, tt.text)
		bad, text := 0, ""
		for _, f := range checkPAM() {
			text += f.Text + "\n"
			if f.Level == fail {
				bad++
			}
		}
		if bad != tt.bad || !strings.Contains(text, tt.want) {
			t.Errorf("checkPAM of\n%s\n= %d bad:\n%swant %d, %q", tt.text, bad, text, tt.bad, tt.want)
		}
	}
}

// What the distributions ship, and mistakes.
func TestAMissingPamFileMeansWhatOtherSays(t *testing.T) {
	const (
		debian = "@include common-auth\n@include common-account\n@include common-password\n@include common-session\n"
		fedora = "auth required pam_deny.so\naccount required pam_deny.so\npassword required pam_deny.so\nsession required pam_deny.so\n"
		suse   = "auth required pam_warn.so\nauth required pam_deny.so\naccount required pam_warn.so\naccount required pam_deny.so\nsession required pam_deny.so\n"
		open   = "auth required pam_warn.so\nauth sufficient pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
	)
	for _, tt := range []struct {
		name, other string
		level       level
		want        string
	}{
		{"Debian", debian, note, "DIRrexec is missing, so that DIRother holds, which admits whoever passes its modules; install"},
		{"Fedora", fedora, fail, "DIRrexec is missing, so that DIRother holds, which refuses everybody (auth); install"},
		{"SUSE", suse, fail, "DIRrexec is missing, so that DIRother holds, which refuses everybody (auth); install"},
		{"open", open, fail, "DIRrexec is missing, so that DIRother holds, which accepts any password"},
		{"none", "", fail, "DIRrexec is missing, and so is DIRother: PAM refuses everybody"},
		{"no session", "auth required pam_unix.so\naccount required pam_unix.so\n", fail, "refuses everybody (session)"},
		{"a module that is not there", "auth required pam_no_such.so\n" + debian, fail, "refuses everybody (auth)"},
		{"a file that is not there", "@include absent\n" + debian, fail, "includes the file absent, and that is not there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, write := pamTree(t)
			write("common-auth", "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n")
			write("common-account", "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\naccount required pam_permit.so\n")
			write("common-password", "")
			write("common-session", "session [default=1] pam_permit.so\nsession requisite pam_deny.so\nsession required pam_permit.so\nsession required pam_unix.so\n")
			if tt.other != "" {
				write("other", tt.other)
			}
			got := fmt.Sprint(checkPAM())
			if want := fmt.Sprintf("[{%v PAM %s", tt.level, strings.ReplaceAll(tt.want, "DIR", dir)); !strings.HasPrefix(got, want) &&
				(!strings.HasPrefix(got, fmt.Sprintf("[{%v ", tt.level)) || !strings.Contains(got, tt.want)) {
				t.Errorf("checkPAM = %s; want %s", got, want)
			}
		})
	}
}

func TestAPamFileThatJudgesNobodyFails(t *testing.T) {
	const rest = "account required pam_unix.so\nsession required pam_unix.so\n"
	for _, tt := range []struct {
		text string
		want string // "": nothing is wrong
	}{
		{"auth required pam_unix.so\n" + rest, ""},
		{"auth required pam_permit.so\n" + rest, "accept any password"},
		{"auth sufficient pam_unix.so\nauth required pam_permit.so\n" + rest, "accept any password"},
		{"auth optional pam_unix.so\nauth required pam_permit.so\n" + rest, "accept any password"},
		{"auth required pam_unix.so\nauth sufficient pam_permit.so\n" + rest, ""},
		{"auth [success=ok default=ignore] pam_unix.so\nauth required pam_permit.so\n" + rest, "accept any password"},
		{"auth [success=2 default=ignore] pam_unix.so\nauth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n" + rest, ""},
		{"auth required pam_env.so\nauth sufficient pam_unix.so\nauth required pam_deny.so\n" + rest, ""},
		{"auth required pam_unix.so\nauth required pam_deny.so\n" + rest, "the auth lines of FILE refuse everybody"},
		{"auth [success=1 default=ignore] pam_unix.so\n" + rest, "the auth lines of FILE refuse everybody"}, // a jump past the end
		{"auth required pam_unix.so\naccount required pam_unix.so\n-session optional pam_no_such.so\n", "the session lines of FILE refuse everybody"},
		{"auth required pam_unix.so\naccount required pam_deny.so\nsession required pam_unix.so\n", "the account lines of FILE refuse everybody"},
	} {
		dir, write := pamTree(t)
		write(service, tt.text)
		var found []finding
		for _, f := range checkPAM() { // a module that this host lacks is not what this is about
			if !strings.Contains(f.Text, "is not installed") {
				found = append(found, f)
			}
		}
		switch want := strings.ReplaceAll(tt.want, "FILE", dir+service); {
		case want == "" && (len(found) > 1 || len(found) == 1 && found[0].Level != ok):
			t.Errorf("%q: %v", tt.text, found)
		case want != "" && (len(found) != 1 || found[0].Level != fail || !strings.Contains(found[0].Text, want)):
			t.Errorf("%q: %v; want %q", tt.text, found, want)
		}
	}
}

func TestThePackagesCopyOfTheStackIsNamed(t *testing.T) {
	before := pamTemplate
	t.Cleanup(func() { pamTemplate = before })
	pamTemplate = filepath.Join(t.TempDir(), "rexec")
	for _, want := range []string{"install the file that is shipped with in.rexecd", "install a copy of " + pamTemplate} {
		if got := missingService("", stack{}); !strings.HasSuffix(got.Text, want) {
			t.Errorf("%q; want it to end with %q", got.Text, want)
		}
		if err := os.WriteFile(pamTemplate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
