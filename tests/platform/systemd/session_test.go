package systemd

import (
	"net"
	"os"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestTheJournalHoldsEveryField(t *testing.T) {
	prepareHost(t)
	setSettings(t, "log_command = true\n"+settings)
	t.Cleanup(func() { setSettings(t, settings) })
	enable(t)
	s := lab.Open(t, addr, "alice", "correct-horse", "sleep 0.2; exit 7").Started(t)
	_, port, _ := net.SplitHostPort(s.Primary.LocalAddr().String())
	s.Rest(t)
	from := " for alice from 127.0.0.1 port " + port
	lab.Ask(t, addr, lab.Request{User: "bob", Password: "x", Command: "id"})

	ended := awaitEntry(t, "Session closed"+from+": exit status 7 after ", "-t", "in.rexecd", "REXEC_USER=alice", "REXEC_OUTCOME=closed", "REXEC_PEER_PORT="+port)
	if m, _ := ended["MESSAGE"].(string); strings.Contains(m, "close session") {
		t.Errorf("with the shipped stack: %s", m)
	}
	for field, want := range map[string]string{
		"MESSAGE_ID": "e724c7acb5154107959fd97a9db1e01b", "REXEC_PEER": "127.0.0.1", "REXEC_PEER_PORT": port, "REXEC_STATUS": "7",
		"SYSLOG_FACILITY": "10", "SYSLOG_IDENTIFIER": "in.rexecd", "_COMM": "in.rexecd", "_EXE": "/usr/sbin/in.rexecd",
	} {
		if ended[field] != want {
			t.Errorf("%s = %v; want %q", field, ended[field], want)
		}
	}
	if d, _ := ended["REXEC_DURATION_USEC"].(string); len(d) < 6 || len(d) > 8 {
		t.Errorf("REXEC_DURATION_USEC = %q for a command of 0.2 s", d)
	}
	accepted := awaitEntry(t, "Accepted password"+from, "MESSAGE_ID=030124d2092d448d9a4626599566fc0c", "REXEC_PEER_PORT="+port)
	if accepted["REXEC_COMMAND"] != "sleep 0.2; exit 7" || accepted["REXEC_OUTCOME"] != "accepted" {
		t.Errorf("accepted: %v", accepted)
	}
	failed := awaitEntry(t, "Failed password for invalid user bob", "MESSAGE_ID=d6f63a33e20f4da0912532921cb6837f", "REXEC_USER=bob")
	if r, _ := failed["REXEC_REASON"].(string); r == "" {
		t.Errorf("failed: no reason in %v", failed)
	}
	// logind moves the process out of its unit when the session is opened; OBJECT_SYSTEMD_UNIT is
	// what journalctl -u asks for then.
	service, _ := accepted["OBJECT_SYSTEMD_UNIT"].(string)
	if got := len(journal(t, "-u", service)); !strings.HasPrefix(service, "rexec@") || got < 2 {
		t.Errorf("journalctl -u %s finds %d records; want accepted and closed", service, got)
	}
	unit, _ := failed["_SYSTEMD_UNIT"].(string)
	if !strings.HasPrefix(unit, "rexec@") {
		t.Fatalf("_SYSTEMD_UNIT = %q; want rexec@…", unit)
	}
	if len(journal(t, "_SYSTEMD_UNIT="+unit)) == 0 || len(journal(t, "-u", "rexec@*")) == 0 {
		t.Errorf("journalctl _SYSTEMD_UNIT=%s and -u 'rexec@*' find nothing", unit)
	}
	for _, e := range journal(t) {
		for field, v := range e {
			if s, ok := v.(string); ok && strings.Contains(s, "correct-horse") {
				t.Errorf("the password is in the journal: %s=%s", field, s)
			}
		}
	}
}

func TestALogindSessionLastsAsLongAsTheCommand(t *testing.T) {
	enable(t)
	s := lab.Open(t, addr, "alice", "correct-horse", "echo $XDG_SESSION_ID; cat").Started(t)
	id := s.Line(t)
	if id == "" {
		t.Fatal("XDG_SESSION_ID is empty: no logind session")
	}
	out := lab.Run(t, "loginctl", "show-session", id, "-p", "Name", "-p", "Service", "-p", "Class", "-p", "State", "-p", "RemoteHost", "-p", "Remote")
	for _, want := range []string{"Name=alice", "Service=rexec", "Class=background", "State=active", "RemoteHost=127.0.0.1", "Remote=yes"} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("loginctl show-session: no %s in\n%s", want, out)
		}
	}
	s.Rest(t)
	lab.Eventually(t, "the end of session "+id, func() bool {
		out, err := says("loginctl", "show-session", id, "-p", "State")
		return err != nil || strings.Contains(out, "No session")
	})
}

// Under PAM stacks without pam_systemd the command stays in the unit's control group, and
// KillMode= decides about what it leaves behind; with it, logind's KillUserProcesses= does, which
// is off on Debian.
func TestANohupdChildSurvivesItsCommand(t *testing.T) {
	for _, c := range []struct{ name, without string }{{"with a logind session", "\x00"}, {"without", "pam_systemd"}} {
		t.Run(c.name, func(t *testing.T) {
			withoutPAMLines(t, c.without)
			enable(t)
			s := lab.Open(t, addr, "alice", "correct-horse", "nohup sleep 300 </dev/null >/dev/null 2>&1 & echo $!; grep ^0:: /proc/self/cgroup").Started(t)
			child := s.Line(t)
			t.Cleanup(func() { says("kill", child) })
			if group := s.Line(t); strings.Contains(group, "/rexec@") != (c.without == "pam_systemd") {
				t.Errorf("the command's control group is %s", group)
			}
			s.Rest(t)
			lab.Eventually(t, "the unit's end", func() bool { return len(services(t)) == 0 })
			if comm, err := os.ReadFile("/proc/" + child + "/comm"); err != nil || string(comm) != "sleep\n" {
				t.Errorf("the nohup'd child is %q, %v; want it alive", comm, err)
			}
		})
	}
}

// withoutPAMLines takes the lines with a word, and what they include, out of the PAM files while
// the test runs.
func withoutPAMLines(t *testing.T, word string) {
	t.Helper()
	prepareHost(t)
	for _, path := range []string{"/etc/pam.d/rexec", "/etc/pam.d/common-session"} {
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var kept strings.Builder
		for line := range strings.Lines(string(old)) {
			if !strings.Contains(line, word) {
				kept.WriteString(line)
			}
		}
		if err := os.WriteFile(path, []byte(kept.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.WriteFile(path, old, 0o644) })
	}
}

// The server passes SIGTERM to the command's process group; what has left the group, as setsid(1)
// does, lives on.
func TestStoppingAServiceEndsItsCommand(t *testing.T) {
	withoutPAMLines(t, "pam_systemd")
	enable(t)
	s := lab.Open(t, addr, "alice", "correct-horse", "setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $!; echo $$; exec cat").Started(t)
	child, shell := s.Line(t), s.Line(t)
	t.Cleanup(func() { says("kill", child) })
	lab.Eventually(t, "setsid", func() bool { b, _ := os.ReadFile("/proc/" + child + "/comm"); return string(b) == "sleep\n" })
	lab.Run(t, "systemctl", "stop", "rexec@*")
	lab.Eventually(t, "the command's end", func() bool { _, err := os.Stat("/proc/" + shell); return err != nil })
	if comm, err := os.ReadFile("/proc/" + child + "/comm"); err != nil || string(comm) != "sleep\n" {
		t.Errorf("the child that left the group is %q, %v; want it alive", comm, err)
	}
	awaitEntry(t, "killed by signal 15 (TERM)", "-t", "in.rexecd", "REXEC_OUTCOME=closed")
}

func TestStoppingTheSocketEndsListeningAndNothingElse(t *testing.T) {
	enable(t)
	s := lab.Open(t, addr, "alice", "correct-horse", "echo started; cat; echo ended").Started(t)
	if line := s.Line(t); line != "started" {
		t.Fatalf("%q", line)
	}
	lab.Run(t, "systemctl", "stop", "rexec.socket")
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("port 512 is open after systemctl stop rexec.socket")
	}
	if a := s.Rest(t); string(a.All) != "ended\n" || a.Err != nil {
		t.Errorf("the running command: %v; want it to go on to its end", a)
	}
}

func TestTheCatalogExplainsEachRecord(t *testing.T) {
	prepareHost(t)
	for _, id := range []string{"030124d2092d448d9a4626599566fc0c", "d6f63a33e20f4da0912532921cb6837f", "3988d1218e8c4856be401a93c9adcf9e"} {
		if out, err := says("journalctl", "--dump-catalog", id); err != nil || !strings.Contains(out, "Defined-By: rexecd") {
			t.Errorf("journalctl --dump-catalog %s: %v\n%s", id, err, out)
		}
	}
	enable(t)
	lab.Ask(t, addr, lab.Request{User: "carol", Password: "x", Command: "id"})
	awaitEntry(t, "invalid user carol", "REXEC_USER=carol")
	out := lab.Run(t, "journalctl", "-x", "--no-pager", "REXEC_USER=carol")
	if !strings.Contains(out, "127.0.0.1 could not authenticate as carol.") {
		t.Errorf("journalctl -x says\n%s", out)
	}
}
