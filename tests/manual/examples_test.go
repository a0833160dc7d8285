package manual

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/rexecd/rules"
	"rexecd/pkg/settings"
	"rexecd/tests/lab"
)

// kinds tries an example of each kind with the program that reads it.
var kinds = map[string]func(*testing.T, Example){
	"rexecd.toml": func(t *testing.T, e Example) {
		set, from, err := settings.ReadServer(file(t, "rexecd.toml", e))
		if err == nil {
			_, err = rules.New(set, from)
		}
		if err != nil {
			t.Error(err)
		}
	},
	"rexec.toml": func(t *testing.T, e Example) {
		if _, err := settings.ReadClient(file(t, "rexec.toml", e)); err != nil {
			t.Error(err)
		}
	},
	"unit":       verifyUnit,
	"inetd.conf": serveUnderInetd,
	"xinetd":     serveUnderXinetd,
	"pam":        logInThroughPAM,
	"access":     func(t *testing.T, e Example) { checkAccess(t, e) },
	"netrc":      logInFromNetrc,
	"nftables":   func(t *testing.T, e Example) { run(t, "nft", "--check", "--file", file(t, "rules.nft", e)) },
	"wireguard":  readByWireGuard,
	"rsyslog":    readByRsyslog,
	"shell":      runCommands,
	"report":     reportOnLogs,
	"cron":       runCronLine,
	"bashrc":     keepBashQuiet,
	"c":          compileAndRun,
	"perl":       runPerl,
	"systemd":    func(t *testing.T, e Example) {}, // tests/platform/systemd runs them
	"text": func(t *testing.T, e Example) {
		if e.Argument == "" {
			t.Error("text without a reason why it cannot be tried")
		}
	},
}

func TestEveryExampleWorks(t *testing.T) {
	prepareHost(t)
	tried := map[string]int{}
	for _, page := range pages(t) {
		for _, e := range examples(t, page) {
			try, known := kinds[e.Kind]
			if !known {
				t.Errorf("%s: the kind of the example is %q", e, e.Kind)
				continue
			}
			tried[e.Kind]++
			t.Run(e.Kind+" "+e.String(), func(t *testing.T) { try(t, e) })
		}
	}
	for kind := range kinds {
		if tried[kind] == 0 {
			t.Errorf("no manual has an example of the kind %s", kind)
		}
	}
	t.Log(tried)
}

func file(t *testing.T, name string, e Example) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, e.Text(), 0o600)
	return path
}

// run fails the test when a program fails or complains. It returns what the
// program printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lab.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// verifyUnit reads a drop-in for one of the shipped units, which the comment
// names.
func verifyUnit(t *testing.T, e Example) {
	dir := t.TempDir()
	run(t, "cp", "-r", root+"/systemd/.", dir)
	if _, err := os.Stat(filepath.Join(dir, e.Argument)); err != nil {
		t.Fatalf("a drop-in for %q: %v", e.Argument, err)
	}
	write(t, filepath.Join(dir, e.Argument+".d", "override.conf"), e.Text(), 0o644)
	name := strings.Replace(e.Argument, "@.", "@1.", 1)
	cmd := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", name)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func readByWireGuard(t *testing.T, e Example) {
	path := file(t, "wg0.conf", e)
	out := run(t, lab.Deb(t, "wireguard-tools")+"/usr/bin/wg-quick", "strip", path)
	for _, want := range []string{"[Interface]", "[Peer]", "AllowedIPs"} {
		if !strings.Contains(out, want) {
			t.Errorf("wg-quick strip prints no %s:\n%s", want, out)
		}
	}
}

func readByRsyslog(t *testing.T, e Example) {
	var libraries []string
	for _, p := range []string{"rsyslog", "libestr0", "libfastjson4"} {
		found, err := filepath.Glob(lab.Deb(t, p) + "/usr/lib/*-linux-gnu")
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %q, %v", p, found, err)
		}
		libraries = append(libraries, found[0])
	}
	t.Setenv("LD_LIBRARY_PATH", strings.Join(libraries, ":"))
	path := file(t, "rexec.conf", e)
	out := run(t, lab.Deb(t, "rsyslog")+"/usr/sbin/rsyslogd", "-N1", "-M", libraries[0]+"/rsyslog", "-f", path)
	if strings.Contains(out, "error") {
		t.Error(out)
	}
}

// runCommands runs the lines of an example as one script, against a server on
// port 512.
func runCommands(t *testing.T, e Example) {
	serve(t)
	succeeds(t, runClient(t, "bash", "-e", "-o", "pipefail", "-c", e.Text()))
}

// succeeds looks for failures that a program keeps to itself, as pdsh does
// without -S, or that an example's own || catches.
func succeeds(t *testing.T, out string) {
	t.Helper()
	for _, bad := range []string{"rexec: ", "failed", "nightly:"} {
		if strings.Contains(out, bad) {
			t.Errorf("printed\n%s", out)
		}
	}
}

// A line of /etc/cron.d has five fields for the time and one for the user.
func runCronLine(t *testing.T, e Example) {
	serve(t)
	for _, line := range e.Lines {
		fields := strings.SplitN(line, " ", 7)
		if len(fields) != 7 {
			t.Fatalf("%q has %d fields", line, len(fields))
		}
		out := runClient(t, "runuser", "-u", fields[5], "--", "env", "HOME=/home/"+fields[5], "sh", "-c", fields[6])
		succeeds(t, out)
		if out == "" {
			t.Error("the job printed nothing")
		}
	}
}

// keepBashQuiet runs a command with a chatty ~/.bashrc, without the example at
// its beginning and with it.
func keepBashQuiet(t *testing.T, e Example) {
	serve(t)
	for _, c := range []struct{ begin, want string }{{"", "chatty\nok\n"}, {e.Text(), "ok\n"}} {
		write(t, "/home/basher/.bashrc", c.begin+"echo chatty\n", 0o644)
		a := lab.Ask(t, "127.0.0.1:512", lab.Request{User: "basher", Password: "bashes", Command: "echo ok"})
		if a.Out() != c.want {
			t.Errorf("with ~/.bashrc %q: %v; want %q", c.begin+"echo chatty\n", a, c.want)
		}
	}
}

func compileAndRun(t *testing.T, e Example) {
	source, program := file(t, "client.c", e), filepath.Join(t.TempDir(), "client")
	run(t, "gcc", "-Wall", "-Wno-deprecated-declarations", "-Werror", "-o", program, source)
	serve(t)
	wantHost(t, runClient(t, program))
}

func runPerl(t *testing.T, e Example) {
	serve(t)
	wantHost(t, runClient(t, "perl", file(t, "client.pl", e)))
}

// wantHost checks the output of the examples in programming languages, which run
// uname -n.
func wantHost(t *testing.T, out string) {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if out != name+"\n" {
		t.Errorf("printed %q; want %q", out, name+"\n")
	}
}
