package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rexecd/pkg/settings"
)

func TestCheckPrintsALineForEachFinding(t *testing.T) {
	var text, machine bytes.Buffer
	status := check(&text, options{})
	line := regexp.MustCompile(`^(ok  |note|FAIL) [A-Za-z0-9 ]+: .+$`)
	about := map[string]bool{}
	for l := range strings.Lines(text.String()) {
		if l = strings.TrimSuffix(l, "\n"); !line.MatchString(l) {
			t.Errorf("line %q", l)
		}
		what, _, _ := strings.Cut(l[5:], ":")
		about[what] = true
	}
	for _, what := range []string{"settings", "PAM", "services", "privileges", "log", "server", "start", "port 512", "firewall"} {
		if !about[what] {
			t.Errorf("nothing is said about %s:\n%s", what, text.String())
		}
	}
	if failed := strings.Contains(text.String(), "FAIL "); failed != (status == exitError) {
		t.Errorf("exit status %d for\n%s", status, text.String())
	}
	if again := check(&machine, options{json: true}); again != status {
		t.Errorf("exit status %d with -json, %d without", again, status)
	}
	var report struct {
		Status   string
		Findings []struct{ Level, About, Text string }
	}
	if err := json.Unmarshal(machine.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	marks := map[string]string{"ok": "ok  ", "note": "note", "fail": "FAIL"}
	var same strings.Builder
	for _, f := range report.Findings {
		fmt.Fprintf(&same, "%s %s: %s\n", marks[f.Level], f.About, f.Text)
	}
	if same.String() != text.String() || (report.Status == "fail") != (status == exitError) {
		t.Errorf("-json has status %q and\n%swant\n%s", report.Status, same.String(), text.String())
	}
}

// Configuration management validates a file before it is put in place: whatever
// else is wrong on this host is of no matter.
func TestCheckOfANamedFileIsAboutTheSettingsAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	for _, tt := range []struct {
		text   string
		mode   os.FileMode
		status int
		want   string // after the file's name
	}{
		{"grace = 5\n", 0o600, exitOK, "ok   settings: FILE\n"},
		{"\ngrace = \"soon\"\n", 0o600, exitError, `FAIL settings: FILE:2:9: grace = "soon": must be a time from 1s to 1h, as in 30 (seconds) or "1m30s"; until this is mended every client is told "Try again."` + "\n"},
		{"grace = 5\n", 0o666, exitError, "ok   settings: FILE\nFAIL settings: FILE has mode 0666, so that others than its owner could change the settings: chmod go-w FILE\n"},
		{"stderr_own_host = true\n", 0o600, exitOK, "ok   settings: FILE\nnote settings: FILE:1: stderr_own_host = true: whoever reaches port 512 can have this host connect to any port of its own that stderr_min_port permits, those that only listen for the host itself included\n"},
		{"[penalties]\nexempt = [\"192.0.2.1\", \"0.0.0.0/0\"]\n", 0o600, exitOK, "ok   settings: FILE\nnote settings: FILE:2: penalties.exempt has 0.0.0.0/0, every address there is: nobody who guesses passwords is made to wait\n"},
		{"[penalties]\nshared = [\"::/0\"]\n", 0o600, exitOK, "ok   settings: FILE\nnote settings: FILE:2: penalties.shared has ::/0, every address there is: whoever tries a new user name each time is never made to wait\n"},
		{"[penalties]\nenabled = false\nshared = [\"::/0\"]\n", 0o600, exitOK, "ok   settings: FILE\n"},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		status := check(&out, options{config: file})
		if want := strings.ReplaceAll(tt.want, "FILE", file); status != tt.status || out.String() != want {
			t.Errorf("check of %q = %d,\n%swant %d,\n%s", tt.text, status, out.String(), tt.status, want)
		}
	}
	var out bytes.Buffer
	if status := check(&out, options{config: file + ".absent"}); status != exitError || !strings.HasPrefix(out.String(), "FAIL settings: open "+file+".absent: ") {
		t.Errorf("check of a file that is not there = %d, %s", status, out.String())
	}
}

// A copy that belongs to the user who logged in is validated by root.
func TestAStagedFileOfAnotherOwnerIsANote(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a file away")
	}
	file := filepath.Join(t.TempDir(), "staged.toml")
	if err := os.WriteFile(file, []byte("grace = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	want := "ok   settings: " + file + "\nnote settings: " + file + " belongs to uid 65534, who could change the settings: chown root " + file + "\n"
	if status := check(&out, options{config: file}); status != exitOK || out.String() != want {
		t.Errorf("check = %d,\n%swant 0,\n%s", status, out.String(), want)
	}
}

func TestEffectiveSettingsNameTheirPlaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	if err := os.WriteFile(file, []byte("# mine\ngrace = \"1m30s\"\n\n[penalties]\nexempt = [\"192.0.2.7\"]\n"+
		"[[rule]]\nname = \"x\"\nshell = false\n[rule.environment]\nLANG = \"C\"\n[[rule]]\n[[test]]\nuser = \"a\"\nfrom = \"::1\"\nexpect = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var text, machine bytes.Buffer
	if err := effective(&text, options{config: file}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`grace = "1m30s" +# ` + file + `:2`, `refusal_delay = "2s" +# default`, `penalties\.exempt = \["192\.0\.2\.7"\] +# ` + file + `:5`,
		`\[\[rule\]\] +# ` + file + `:6`, `shell = false +# ` + file + `:8`, `environment\."LANG" = "C" +# ` + file + `:10`, `\[\[rule\]\] +# ` + file + `:11`} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(text.String()) {
			t.Errorf("no line %s in\n%s", want, text.String())
		}
	}
	// What is printed is a settings file itself.
	again := filepath.Join(t.TempDir(), "again.toml")
	if err := os.WriteFile(again, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var second bytes.Buffer
	if err := effective(&second, options{config: again}); err != nil {
		t.Fatal(err)
	}
	values := func(s string) string { return regexp.MustCompile(` +# .*`).ReplaceAllString(s, "") }
	if values(second.String()) != values(text.String()) {
		t.Errorf("read again:\n%swant\n%s", second.String(), text.String())
	}
	if err := effective(&machine, options{config: file, json: true}); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Settings []struct {
			Key, Value, File string
			Line             int
		}
	}
	if err := json.Unmarshal(machine.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if s := report.Settings[0]; s.Key != "grace" || s.Value != `"1m30s"` || s.File != file || s.Line != 2 {
		t.Errorf("the first setting is %+v", s)
	}
	last := report.Settings[len(report.Settings)-1]
	if last.Key != "test[1].expect" || last.Value != `"x"` || last.Line != 15 {
		t.Errorf("the last setting is %+v", last)
	}
	if err := effective(&text, options{config: file + ".absent"}); err == nil {
		t.Error("no error for a file that is not there")
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

func TestAFileThatIsNoDropInIsNoted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"10-site.toml", "20.toml.dpkg-old", "30.toml~", ".40.swp", "50-site.conf", "60\nsite"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const why = ": the name of a settings file ends in .toml"
	want := []finding{
		{note, "settings", `"50-site.conf" in ` + dir + " is not read" + why},
		{note, "settings", `"60\nsite" in ` + dir + " is not read" + why},
	}
	if got := misnamed(dir); !slices.Equal(got, want) {
		t.Errorf("misnamed = %q; want %q", got, want)
	}
	if got := misnamed(dir + "/absent"); got != nil {
		t.Errorf("misnamed in a directory that is absent = %q", got)
	}
}

func TestWhatANamedFileNeedsMayBeStillToCome(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	text := "exit = '/nowhere/validate'\nexit_user = 'no-such-user'\n[guest]\naccounts = ['no-such-user']\nfrom = ['::1']\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	named := options{config: file}
	found := append(named.checkExit(), named.checkGuests()...)
	if len(found) != 3 {
		t.Fatalf("found %v", found)
	}
	for _, f := range found {
		if f.Level != note {
			t.Errorf("with -config, %v", f)
		}
	}
	if f := (options{}).checkGuest("no-such-user", false); f.Level != fail {
		t.Errorf("without -config, %v", f)
	}
}
