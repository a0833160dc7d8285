package systemd

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// Restarts, as by upgrades, with a mistake in the settings: the port stays open, and the mend is
// enough.
func TestAMistakeInTheSettingsDoesNotFailTheStandbyService(t *testing.T) {
	prepareHost(t)
	lab.Run(t, "systemctl", "enable", "--now", "rexec-standby.socket")
	t.Cleanup(func() {
		setSettings(t, settings)
		lab.Run(t, "systemctl", "disable", "--now", "rexec-standby.socket")
		says("systemctl", "stop", "rexec-standby.service")
		says("systemctl", "reset-failed")
	})
	setSettings(t, "grace = \"never\"\n"+settings)
	for range 8 {
		lab.Run(t, "systemctl", "restart", "rexec-standby.service")
	}
	if a := ask(t, "echo no"); string(a.All) != "\x01Try again.\n" {
		t.Errorf("with the mistake: %v", a)
	}
	awaitEntry(t, "/etc/rexecd.toml:1:", "SYSLOG_IDENTIFIER=in.rexecd")
	setSettings(t, settings)
	if a := ask(t, "echo mended"); string(a.All) != "\x00mended\n" {
		t.Errorf("after the mend: %v", a)
	}
	for _, unit := range []string{"rexec-standby.service", "rexec-standby.socket"} {
		if state, _ := says("systemctl", "is-active", unit); state != "active" {
			t.Errorf("%s is %s", unit, state)
		}
	}
}

// Whatever stands in the place of a file that every connection needs.
func TestWhatIsNoFileDoesNotFailTheStandbyService(t *testing.T) {
	prepareHost(t)
	const file, stack = "/etc/rexecd.toml", "/etc/pam.d/rexec"
	moved := func(path string) { lab.Run(t, "mv", path, path+".saved") }
	back := func(path string) { lab.Run(t, "rm", "-rf", path); lab.Run(t, "mv", path+".saved", path) }
	t.Cleanup(func() {
		lab.Run(t, "systemctl", "disable", "--now", "rexec-standby.socket")
		says("systemctl", "stop", "rexec-standby.service")
		says("systemctl", "reset-failed")
	})
	for _, c := range []struct{ name, path, do, answer, logged string }{
		{"a directory", file, "mkdir " + file, "\x01Try again.\n", "/etc/rexecd.toml: is a directory"},
		{"a link to itself", file, "ln -s rexecd.toml " + file, "\x01Try again.\n", "/etc/rexecd.toml: too many levels of symbolic links"},
		{"not UTF-8", file, "printf 'grace = 5 # \\377\\n' >" + file, "\x01Try again.\n", "/etc/rexecd.toml:1:"},
		{"no PAM file", stack, "true", "\x00served\n", ""}, // Debian's "other" asks the same modules
		{"a PAM file that is a directory", stack, "mkdir " + stack, "\x00served\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			moved(c.path)
			lab.Run(t, "sh", "-c", c.do)
			lab.Run(t, "systemctl", "enable", "--now", "rexec-standby.socket") // as at boot: the first connection starts the service
			a := ask(t, "echo served")
			lab.Run(t, "systemctl", "restart", "rexec-standby.service") // as by an upgrade
			again := ask(t, "echo served")
			if string(a.All) != c.answer || string(again.All) != c.answer {
				t.Errorf("answers %v and %v; want %q", a, again, c.answer)
			}
			if c.logged != "" {
				awaitEntry(t, c.logged, "SYSLOG_IDENTIFIER=in.rexecd")
			}
			back(c.path)
			if a := ask(t, "echo mended"); string(a.All) != "\x00mended\n" {
				t.Errorf("after the mend: %v", a)
			}
			for _, unit := range []string{"rexec-standby.service", "rexec-standby.socket"} {
				if state, _ := says("systemctl", "is-active", unit); state != "active" {
					t.Errorf("%s is %s", unit, state)
				}
			}
			lab.Run(t, "systemctl", "disable", "--now", "rexec-standby.socket")
		})
	}
}

// standby starts the service, and waits until what it keeps ready was forked.
func standby(t *testing.T) (supervisor int) {
	t.Helper()
	prepareHost(t)
	lab.Run(t, "systemctl", "enable", "--now", "rexec-standby.socket")
	t.Cleanup(func() {
		lab.Run(t, "systemctl", "disable", "--now", "rexec-standby.socket")
		says("systemctl", "stop", "rexec-standby.service")
		says("systemctl", "reset-failed")
	})
	if a := ask(t, "echo first"); string(a.All) != "\x00first\n" {
		t.Fatalf("%v", a)
	}
	supervisor, err := strconv.Atoi(strings.TrimSpace(lab.Run(t, "systemctl", "show", "-P", "MainPID", "rexec-standby.service")))
	if err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "a zygote", func() bool { return zygoteOf(supervisor) != 0 })
	for range 5 { // those that were executed meanwhile
		ask(t, "true")
	}
	return supervisor
}

// zygoteOf is 0 while there is none. A handler has its arguments for a moment: the zygote is the
// first.
func zygoteOf(supervisor int) int {
	first := 0
	for _, pid := range lab.Children(supervisor) {
		if (first == 0 || pid < first) && strings.Contains(lab.Read(fmt.Sprintf("/proc/%d/cmdline", pid)), "\x00-zygote\x00") &&
			lab.ProcStatus(pid, "State") != "Z (zombie)" {
			first = pid
		}
	}
	return first
}

// pam_systemd asks over the bus, which it has loaded before the fork.
func TestAForkedHandlerHasALogindSession(t *testing.T) {
	supervisor := standby(t)
	zygote := zygoteOf(supervisor)
	for range 3 {
		s := lab.Open(t, addr, "alice", "correct-horse", "echo $XDG_SESSION_ID; echo $PPID; cat").Started(t)
		id, handler := s.Line(t), s.Line(t)
		pid, _ := strconv.Atoi(handler)
		if lab.ProcStatus(pid, "PPid") != strconv.Itoa(supervisor) {
			t.Errorf("the parent of handler %s is not the supervisor, %d", handler, supervisor)
		}
		out := lab.Run(t, "loginctl", "show-session", id, "-p", "Name", "-p", "Leader", "-p", "State", "-p", "RemoteHost")
		for _, want := range []string{"Name=alice", "Leader=" + handler, "State=active", "RemoteHost=127.0.0.1"} {
			if !strings.Contains(out, want+"\n") {
				t.Errorf("loginctl show-session: no %s in\n%s", want, out)
			}
		}
		if cgroup := lab.Read("/proc/" + handler + "/cgroup"); !strings.Contains(cgroup, "session-"+id+".scope") {
			t.Errorf("the handler is in %s", cgroup)
		}
		s.Primary.CloseWrite()
		s.Rest(t)
		lab.Eventually(t, "the session has ended", func() bool {
			out, err := says("loginctl", "show-session", id, "-p", "State")
			return err != nil || strings.Contains(out, "closing")
		})
	}
	if now := zygoteOf(supervisor); now != zygote {
		t.Errorf("the zygote was %d and is %d", zygote, now)
	}
	if cgroup := lab.Read(fmt.Sprintf("/proc/%d/cgroup", zygote)); !strings.Contains(cgroup, "rexec-standby.service") {
		t.Errorf("the zygote is in %s", cgroup)
	}
}
