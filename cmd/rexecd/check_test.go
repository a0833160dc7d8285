package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rexecd/pkg/settings"
)

func TestCheckPrintsALineForEachFindingAndFailsForOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	if err := os.WriteFile(file, []byte("\ngrace = \"soon\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if status := check(&out, options{config: file}); status != exitError {
		t.Errorf("check = %d; want %d", status, exitError)
	}
	line := regexp.MustCompile(`^(ok  |FAIL) [A-Za-z0-9 .]+: .+$`)
	about := map[string]bool{}
	for l := range strings.Lines(out.String()) {
		if l = strings.TrimSuffix(l, "\n"); !line.MatchString(l) {
			t.Errorf("line %q", l)
		}
		what, _, _ := strings.Cut(l[5:], ":")
		about[what] = true
	}
	for _, what := range []string{"settings", "PAM", "services", "privileges", "log", "server", "port 512"} {
		if !about[what] {
			t.Errorf("nothing is said about %s:\n%s", what, out.String())
		}
	}
	want := "FAIL settings: " + file + `:2:9: grace = "soon": must be a time from 1s to 1h, as in 30 (seconds) or "1m30s"; until this is mended every client is told "Try again."` + "\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("check prints\n%swant the line\n%s", out.String(), want)
	}
}

func TestSettingsAreFoundRightWrongOrAbsent(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rexecd.toml")
	if err := os.WriteFile(file, []byte("grace = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		o    options
		bad  bool
		want string
	}{
		{options{config: file}, false, "settings: " + file},
		{options{config: filepath.Join(dir, "absent")}, true, "settings: open " + filepath.Join(dir, "absent")},
	} {
		if got := checkSettings(tt.o); len(got) != 1 || got[0].bad != tt.bad || !strings.HasPrefix(got[0].text, tt.want) {
			t.Errorf("checkSettings(%+v) = %+v; want %q, bad %v", tt.o, got, tt.want, tt.bad)
		}
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	want := "settings: " + file + " has mode 0666, so that others than its owner could change the settings: chmod go-w " + file
	if got := checkSettings(options{config: file}); len(got) != 2 || !got[1].bad || got[1].text != want {
		t.Errorf("of a file that everybody can write: %+v; want %q", got, want)
	}
}

func TestCapabilitiesAreReadFromTheKernel(t *testing.T) {
	effective, err := effectiveCapabilities()
	if err != nil {
		t.Fatal(err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	if want := uint64(data[1].Effective)<<32 | uint64(data[0].Effective); effective != want {
		t.Errorf("effectiveCapabilities() = %#x; want %#x", effective, want)
	}
	missing := strings.Join(missingCapabilities(), "\n")
	for _, c := range capabilities {
		name := settings.CapabilityNames[c.bit]
		if got, want := strings.Contains(missing, name+" is missing: "+c.without), effective&(1<<c.bit) == 0; got != want {
			t.Errorf("%s is said to be missing: %v; want %v", name, got, want)
		}
	}
	if got := strings.Contains(missing, fmt.Sprintf("uid %d", os.Geteuid())); got != (os.Geteuid() != 0) {
		t.Errorf("missingCapabilities() = %q", missing)
	}
}

func TestCapabilitiesHaveTheKernelsNumbers(t *testing.T) {
	numbers := map[string]uint{
		"cap_setgid": unix.CAP_SETGID, "cap_setuid": unix.CAP_SETUID, "cap_dac_read_search": unix.CAP_DAC_READ_SEARCH, "cap_sys_resource": unix.CAP_SYS_RESOURCE,
		"cap_audit_write": unix.CAP_AUDIT_WRITE, "cap_audit_control": unix.CAP_AUDIT_CONTROL, "cap_kill": unix.CAP_KILL,
	}
	for _, c := range capabilities {
		name := settings.CapabilityNames[c.bit]
		if n, ok := numbers[name]; !ok || n != c.bit {
			t.Errorf("%s is %d; want %d", name, c.bit, n)
		}
	}
}

func TestPamStackIsReadWithWhatItIncludes(t *testing.T) {
	dir := t.TempDir() + "/"
	saved := pamDirs
	pamDirs = []string{dir}
	defer func() { pamDirs = saved }()
	write := func(name, text string) {
		if err := os.WriteFile(dir+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("common", "account required pam_permit.so\nsession required pam_permit.so\n")
	write("loop", "@include loop\nauth required pam_permit.so\n")
	for _, tt := range []struct {
		text string
		bad  int
		want string
	}{
		{"auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n", 0, "PAM: " + dir + "rexec, with session lines"},
		{"# comment\nauth\trequired\tpam_unix.so nullok # more\n@include common\n", 0, "with session lines"},
		{"auth [success=1 default=ignore] pam_unix.so nullok\naccount include common\nsession substack common\n", 0, "with session lines"},
		{"auth required \\\n pam_unix.so\naccount required pam_unix.so\n-session optional pam_no_such.so\n", 0, "with session lines"},
		{"auth required pam_unix.so\naccount required pam_unix.so\n", 1, "has no session lines"},
		{"auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_no_such.so\n", 1, "PAM: pam_no_such.so, which "},
		{"auth required pam_unix.so\n@include absent\n", 3, "the file absent"},
		{"@include loop\naccount include common\nsession include common\n", 0, "with session lines"},
		{"", 3, "has no auth lines"},
	} {
		write(service, tt.text)
		bad, text := 0, ""
		for _, f := range checkPAM(options{}) {
			text += f.text + "\n"
			if f.bad {
				bad++
			}
		}
		if bad != tt.bad || !strings.Contains(text, tt.want) {
			t.Errorf("checkPAM of\n%s\n= %d bad:\n%swant %d, %q", tt.text, bad, text, tt.bad, tt.want)
		}
	}
	os.Remove(dir + service)
	if got := checkPAM(options{}); len(got) != 1 || !got[0].bad || !strings.Contains(got[0].text, "is missing") {
		t.Errorf("checkPAM without a file = %+v", got)
	}
}
