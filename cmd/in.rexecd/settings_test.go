package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/rexecd"
	"rexecd/pkg/session"
)

// defaults is what server makes of no settings and no flags.
func defaults() *rexecd.Server { return &rexecd.Server{Grace: time.Minute, StderrMinPort: 1024} }

func TestEverySettingIsApplied(t *testing.T) {
	for _, tt := range []struct {
		text string
		want func(s *rexecd.Server)
	}{
		{"", func(*rexecd.Server) {}},
		{"# nothing\n\n", func(*rexecd.Server) {}},
		{"grace = 1", func(s *rexecd.Server) { s.Grace = time.Second }},
		{"grace = 3600", func(s *rexecd.Server) { s.Grace = time.Hour }},
		{"permit_root = true", func(s *rexecd.Server) { s.PermitRoot = true }},
		{"permit_root = false", func(*rexecd.Server) {}},
		{"permit_empty_password = true", func(s *rexecd.Server) { s.PermitEmptyPassword = true }},
		{"log_command = true", func(s *rexecd.Server) { s.LogCommand = true }},
		{"login_shell = true", func(s *rexecd.Server) { s.LoginShell = true }},
		{"stderr_min_port = 1", func(s *rexecd.Server) { s.StderrMinPort = 1 }},
		{"stderr_min_port = 65535", func(s *rexecd.Server) { s.StderrMinPort = 65535 }},
		{"stderr = \"no\"", func(s *rexecd.Server) { s.NoStderr = true }},
		{"stderr = \"yes\"", func(*rexecd.Server) {}},
		{"keepalive = false", func(s *rexecd.Server) { s.NoKeepAlive = true }},
		{"keepalive = true", func(*rexecd.Server) {}},
		{"on_disconnect = \"hangup\"", func(s *rexecd.Server) { s.HangupOnLoss = true }},
		{"on_disconnect = \"continue\"", func(*rexecd.Server) {}},
		{"close_on_exit = true", func(s *rexecd.Server) { s.CloseOnExit = true }},
		{"keep_capabilities = \"all\"", func(*rexecd.Server) {}},
		{"keep_capabilities = []", keep(0)},
		{"keep_capabilities = [\"cap_chown\", \"cap_checkpoint_restore\"]", keep(1 | 1<<40)},
		{"keep_capabilities = [\n 'cap_sys_admin', # pam_namespace\n]\n", keep(1 << 21)},
		{"grace=5\r\n\"permit_root\" = true # yes\n", func(s *rexecd.Server) { s.Grace, s.PermitRoot = 5*time.Second, true }},
	} {
		got, want := defaults(), defaults()
		tt.want(want)
		if err := apply(got, tt.text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("apply(%q) = %v, %+v; want %+v", tt.text, err, got, want)
		}
	}
}

func keep(c session.Capabilities) func(*rexecd.Server) {
	return func(s *rexecd.Server) { s.KeepCapabilities = &c }
}

func TestAWrongSettingNamesItselfItsValueItsLineAndWhatIsAllowed(t *testing.T) {
	seconds, port := "a number of seconds from 1 to 3600", "a port number from 1 to 65535"
	capabilities := "\"all\" or a list of capabilities, which are cap_chown, cap_dac_override, cap_dac_read_search, "
	for _, tt := range []struct{ text, want string }{
		{"grace = 0", "1: grace = 0: must be " + seconds},
		{"grace = 3601", "1: grace = 3601: must be " + seconds},
		{"grace = -5", "1: grace = -5: must be " + seconds},
		{"grace = 9223372036854775807", "1: grace = 9223372036854775807: must be " + seconds},
		{"grace = 1.5", "1: grace = 1.5: must be " + seconds},
		{"grace = \"60\"", `1: grace = "60": must be ` + seconds},
		{"grace = true", "1: grace = true: must be " + seconds},
		{"[grace]\nx = 1", "1: grace = a table: must be " + seconds},
		{"grace.x = 1", "1: grace = a table: must be " + seconds},
		{"# one\n# two\npermit_root = \"true\"\n", `3: permit_root = "true": must be true or false`},
		{"permit_root = 1", "1: permit_root = 1: must be true or false"},
		{"permit_empty_password = \"no\"", `1: permit_empty_password = "no": must be true or false`},
		{"log_command = 0", "1: log_command = 0: must be true or false"},
		{"login_shell = \"\"", `1: login_shell = "": must be true or false`},
		{"close_on_exit = 1979-05-27", "1: close_on_exit = 1979-05-27"},
		{"keepalive = \"on\"", `1: keepalive = "on": must be true or false`},
		{"stderr_min_port = 0", "1: stderr_min_port = 0: must be " + port},
		{"stderr_min_port = 65536", "1: stderr_min_port = 65536: must be " + port},
		{"stderr = true", `1: stderr = true: must be "yes" or "no"`},
		{"stderr = \"maybe\"", `1: stderr = "maybe": must be "yes" or "no"`},
		{"stderr = [\"yes\"]", `1: stderr = `},
		{"on_disconnect = \"kill\"", `1: on_disconnect = "kill": must be "continue" or "hangup"`},
		{"keep_capabilities = true", "1: keep_capabilities = true: must be " + capabilities},
		{"keep_capabilities = \"cap_kill\"", `1: keep_capabilities = "cap_kill": must be ` + capabilities},
		{"\nkeep_capabilities = [\"cap_kill\", \"cap_foo\", \"cap_chown\"]", `2: keep_capabilities = ["cap_foo"]: must be ` + capabilities},
		{"keep_capabilities = [\"kill\"]", `1: keep_capabilities = ["kill"]: must be `},
		{"keep_capabilities = [\"CAP_KILL\"]", `1: keep_capabilities = ["CAP_KILL"]: must be `},
		{"keep_capabilities = [\"all\"]", `1: keep_capabilities = ["all"]: must be `},
		{"keep_capabilities = [\"\"]", `1: keep_capabilities = [""]: must be `},
		{"keep_capabilities = [7]", `1: keep_capabilities = [7]: must be `},
		{"keep_capabilities = [[\"cap_kill\"]]", `1: keep_capabilities = [`},
		{"\n\npermitroot = true", `3: unknown setting "permitroot": the settings are grace, permit_root, `},
		{"Grace = 5", `1: unknown setting "Grace": the settings are grace, `},
		{"grace = 5\n[server]\nport = 1", `2: unknown setting "server": the settings are grace, `},
		{"a.b = 1\n", `1: unknown setting "a": the settings are grace, `},
		{"z = 1\ny = 2", `1: unknown setting "z": `},
		{"grace = 5\ngrace = 6", "2: "},
		{"grace 5", "1: "},
		{"grace = 5\nstderr = \"yes\n", "2: "},
		{"\x00", "1: "},
		{"grace = 5 \xff", "1: "},
	} {
		s := defaults()
		if err := apply(s, tt.text); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("apply(%q) = %v; want %q", tt.text, err, tt.want)
		}
	}
}

// The kernel's own header has the names, in capitals.
func TestEveryCapabilityHasItsNameAtItsNumber(t *testing.T) {
	header, err := os.ReadFile("/usr/include/linux/capability.h")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^#define (CAP_[A-Z_]+)\s+([0-9]+)\s*$`).FindAllStringSubmatch(string(header), -1)
	if len(found) < len(capabilityNames) {
		t.Fatalf("%d capabilities in the header; want at least %d", len(found), len(capabilityNames))
	}
	for _, m := range found {
		if n, _ := strconv.Atoi(m[2]); n <= unix.CAP_LAST_CAP && capabilityNames[n] != strings.ToLower(m[1]) {
			t.Errorf("capability %d is %s; want %s", n, capabilityNames[n], strings.ToLower(m[1]))
		}
	}
}

func TestEverySettingIsInTheManualAndInTheShippedFile(t *testing.T) {
	manual, err := os.ReadFile("../rexecd/rexecd.toml.5")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../../packaging/rexecd.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !strings.Contains(string(manual), s.key) {
			t.Errorf("rexecd.toml.5 does not name %s", s.key)
		}
		if !strings.Contains(string(shipped), s.key+" = ") {
			t.Errorf("packaging/rexecd.toml does not name %s", s.key)
		}
	}
	if err := apply(defaults(), string(shipped)); err != nil {
		t.Errorf("packaging/rexecd.toml:%v", err)
	}
}

func TestFlagsHaveTheLastWordOverTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	for _, tt := range []struct {
		text            string
		o               options
		close, noKeep   bool
		wantErr         string
		graceSeconds    int
		stderrPortsFrom int
	}{
		{text: "", graceSeconds: 60, stderrPortsFrom: 1024},
		{text: "", o: options{closeOnExit: true, noKeepAlive: true}, close: true, noKeep: true, graceSeconds: 60, stderrPortsFrom: 1024},
		{text: "close_on_exit = false\nkeepalive = true\ngrace = 7\n", o: options{closeOnExit: true, noKeepAlive: true}, close: true, noKeep: true, graceSeconds: 7, stderrPortsFrom: 1024},
		{text: "close_on_exit = true\nkeepalive = false\nstderr_min_port = 5\n", close: true, noKeep: true, graceSeconds: 60, stderrPortsFrom: 5},
		{text: "\nnonsense = 1\n", wantErr: file + `:2: unknown setting "nonsense": `},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		tt.o.config = file
		s, err := tt.o.server()
		if tt.wantErr != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
				t.Errorf("server(%q) = %v; want %q", tt.text, err, tt.wantErr)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(s.CloseOnExit, s.NoKeepAlive, s.Grace, s.StderrMinPort, s.PAM.Service, s.PermitRoot, s.PermitEmptyPassword)
		if want := fmt.Sprint(tt.close, tt.noKeep, time.Duration(tt.graceSeconds)*time.Second, tt.stderrPortsFrom, "rexec", false, false); got != want {
			t.Errorf("server(%q) = %s; want %s", tt.text, got, want)
		}
	}
}

func TestAFileThatWasNamedMustBeThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "absent.toml")
	if _, err := (options{config: file}).server(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("server() = %v; want an error that names %s", err, file)
	}
	if _, err := (options{config: t.TempDir()}).server(); err == nil {
		t.Error("a folder was taken for a settings file")
	}
}
