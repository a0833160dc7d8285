package e2e

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestBrokenSettingsServeNobodyAndNameTheirLine(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, c := range []struct {
		name, text string
		line       int
		say        string // what the log must name besides the line
	}{
		{"unknown key", "permit_rot = true", 1, "permit_rot"},
		{"unknown table", "grace = 5\n\n[pam]\nservice = 'x'", 3, "pam"},
		{"a number as text", "\n\ngrace = \"60\"", 3, "grace"},
		{"no time at all", "grace = 0", 1, "grace"},
		{"a negative time", "grace = -1", 1, "grace"},
		{"a fraction", "grace = 1.5", 1, "grace"},
		{"text for true", "# first\npermit_root = \"yes\"", 2, "permit_root"},
		{"1 for true", "permit_empty_password = 1", 1, "permit_empty_password"},
		{"true for yes", "stderr = true", 1, "stderr"},
		{"another word", "stderr = \"maybe\"", 1, "\"yes\" or \"no\""},
		{"another word", "on_disconnect = 'die'", 1, "\"continue\" or \"hangup\""},
		{"too big a port", "stderr_min_port = 65536", 1, "stderr_min_port"},
		{"a key twice", "grace = 5\ngrace = 6", 2, "grace"},
		{"no value", "log_command = true\ngrace =", 2, ""},
		{"no TOML at all", "grace 60", 1, ""},
		{"not UTF-8", "keepalive = true\n# \xff\n", 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, lab.Handler{Settings: c.text})
			wantAll(t, s.Addr, request(u, "echo no"), "\x01Try again.\n")
			if state := s.Process(t, 0).Wait(t); state.ExitCode() != 1 {
				t.Errorf("handler's end: %v; want status 1", state)
			}
			message := s.Log.Wait(t, "Configuration error")["MESSAGE"]
			if !strings.Contains(message, "rexecd.toml:"+strconv.Itoa(c.line)+":") || !strings.Contains(message, c.say) {
				t.Errorf("message %q; want line %d and %q in it", message, c.line, c.say)
			}
			file := openDir(t) + "/rexecd.toml"
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			stdout, _, status := run(t, exec.Command(lab.Rexecd(t), "-check", "-config", file))
			if status != 1 || !strings.Contains(stdout, file+":"+strconv.Itoa(c.line)+":") {
				t.Errorf("-check ended with %d and said %q", status, stdout)
			}
			_, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-debug", "-listen", "127.0.0.1:0", "-config", file))
			if status != 1 || !strings.Contains(stderr, file+":"+strconv.Itoa(c.line)+":") {
				t.Errorf("-debug ended with %d and said %q", status, stderr)
			}
		})
	}
}

func TestSettingsAreReadFromEtcAndANamedFileMustExist(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Files: map[string]string{"/etc/rexecd.toml": "\nnonsense = 1\n"}}})
	wantAll(t, s.Addr, request(u, "echo no"), "\x01Try again.\n")
	s.Log.Wait(t, "/etc/rexecd.toml:2:")
	for _, file := range []string{"/nowhere/rexecd.toml", "/etc"} {
		s = serve(t, lab.Handler{Args: []string{"-config", file}})
		wantAll(t, s.Addr, request(u, "echo no"), "\x01Try again.\n")
		s.Log.Wait(t, file)
	}
}

func TestDropInFilesOverrideTheSettingsFile(t *testing.T) {
	t.Parallel()
	if err := os.MkdirAll("/etc/rexecd.toml.d", 0o755); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, lab.User{})
	room := lab.Room{Files: map[string]string{
		"/etc/rexecd.toml":           "[penalties]\nenabled = false\n",
		"/etc/rexecd.toml.d/50.toml": "stderr = \"no\"\n",
	}}
	second := request(u, "echo yes")
	second.Port = "50000"
	wantMatch(t, "answer", string(lab.Ask(t, serve(t, lab.Handler{Room: room}).Addr, second).All), "\x01stderr connections are not permitted here\n")
	wantOut(t, serve(t, lab.Handler{Room: room}).Addr, request(u, "echo yes"), "yes\n")

	room.Files["/etc/rexecd.toml.d/50.toml"] = "\nnonsense = 1\n"
	s := serve(t, lab.Handler{Room: room})
	wantAll(t, s.Addr, request(u, "echo no"), "\x01Try again.\n")
	s.Log.Wait(t, "/etc/rexecd.toml.d/50.toml:2:1: unknown setting")

	// A file that is named is read alone.
	wantOut(t, serve(t, lab.Handler{Room: room, Args: []string{"-config", "/etc/rexecd.toml"}}).Addr, request(u, "echo yes"), "yes\n")
}

func TestAWrongFlagOfASuperServerServesNobody(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, args := range [][]string{{"-x"}, {"surplus"}, {"-config"}} {
		s := serve(t, lab.Handler{Args: args})
		wantAll(t, s.Addr, request(u, "echo no"), "\x01Try again.\n")
		s.Log.Wait(t, "Configuration error")
	}
}

func TestFlagsOfOtherServersAreAccepted(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Args: []string{"-s", "-c", "-D", "-S"}})
	wantOut(t, s.Addr, request(newUser(t, lab.User{}), "echo yes"), "yes\n")
}

func TestRootIsServedOnlyWhereASettingPermitsIt(t *testing.T) {
	t.Parallel()
	// An account that is root by its number; root's own password belongs to another test.
	u := newUser(t, lab.User{})
	lab.Run(t, "usermod", "-o", "-u", "0", u.Name)
	wantAll(t, serve(t, lab.Handler{}).Addr, request(u, "id -u"), loginIncorrect)
	s := serve(t, lab.Handler{Settings: "permit_root = true"})
	wantOut(t, s.Addr, request(u, "id -u; echo $PATH"), "0\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n")
	u.Password = "x"
	wantAll(t, s.Addr, request(u, "id -u"), loginIncorrect)
}

func TestAnEmptyPasswordIsServedOnlyWhereASettingPermitsIt(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	lab.Run(t, "passwd", "-d", u.Name)
	u.Password = ""
	room := lab.Room{Stack: refusalStack}
	wantAll(t, serve(t, lab.Handler{Room: room}).Addr, request(u, "id -un"), loginIncorrect)
	s := serve(t, lab.Handler{Room: room, Settings: "permit_empty_password = true"})
	wantOut(t, s.Addr, request(u, "id -un"), u.Name+"\n")
	other := newUser(t, lab.User{})
	other.Password = ""
	wantAll(t, s.Addr, request(other, "id -un"), loginIncorrect)
}

func TestALoginShellIsStartedOnlyWhereASettingSaysSo(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	profile := "/home/" + u.Name + "/.profile"
	if err := os.WriteFile(profile, []byte("MINE=yes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantOut(t, serve(t, lab.Handler{}).Addr, request(u, "echo $0 $MINE"), "sh\n")
	wantOut(t, serve(t, lab.Handler{Settings: "login_shell = true"}).Addr, request(u, "echo $0 $MINE"), "-sh yes\n")
}

func TestStderrConnectionsAreRefusedWhereASettingSaysSo(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: `stderr = "no"`})
	wantOut(t, s.Addr, request(u, "echo out; echo err >&2"), "out\nerr\n")
	r := request(u, "echo no")
	r.Port = "0"
	wantOut(t, s.Addr, r, "no\n")
	r.Port = "50000"
	wantMatch(t, "answer", string(lab.Ask(t, s.Addr, r).All), "\x01[ -~]+\n")
	s.Log.Wait(t, "Protocol error from 127.0.0.1 port ")
}

func TestTheLeastStderrPortIsASetting(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "stderr_min_port = 512"})
	for port, want := range map[string]string{"511": "\x01[ -~]*511 is not permitted\n", "600": "\x01[ -~]*600[ -~]*(?i)refused\n"} { // nobody listens there
		r := request(u, "echo no")
		r.Port = port
		wantMatch(t, "answer", string(lab.Ask(t, s.Addr, r).All), want)
	}
}
