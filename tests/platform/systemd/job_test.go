package systemd

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// limitJobs installs job.conf and job.pam as they say, with all limits on but for changes.
func limitJobs(t *testing.T, changes ...string) {
	t.Helper()
	prepareHost(t)
	const doc, dir, pam = "/usr/share/doc/rexecd/", "/etc/systemd/system/rexec@.service.d", "/etc/pam.d/rexec"
	text, err := os.ReadFile(doc + "job.conf")
	if err != nil {
		t.Fatal(err)
	}
	on := regexp.MustCompile(`(?m)^#([A-Z][A-Za-z]+=)`).ReplaceAllString(string(text), "$1")
	if on = strings.NewReplacer(changes...).Replace(on); strings.Count(on, "\n#") == strings.Count(string(text), "\n#") {
		t.Fatal("job.conf has no directives")
	}
	before, err := os.ReadFile(pam)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := os.ReadFile(doc + "job.pam")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []error{os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/job.conf", []byte(on), 0o644), os.WriteFile(pam, stack, 0o644)} {
		if f != nil {
			t.Fatal(f)
		}
	}
	lab.Run(t, "systemctl", "daemon-reload")
	t.Cleanup(func() {
		os.RemoveAll(dir)
		os.WriteFile(pam, before, 0o644)
		lab.Run(t, "systemctl", "daemon-reload")
	})
	enable(t)
}

func TestEachRequestIsAUnitWithTheLimitsOfJobConf(t *testing.T) {
	limitJobs(t)
	s := lab.Open(t, addr, "alice", "correct-horse", "cat /proc/self/cgroup | tail -n 1; echo ${XDG_SESSION_ID-none}; cat").Started(t)
	group := s.Line(t)
	if !regexp.MustCompile(`/rexec\.slice/.*rexec@[^/]*\.service$`).MatchString(group) {
		t.Errorf("the command is in %q; want its unit in rexec.slice", group)
	}
	if id := s.Line(t); id != "none" {
		t.Errorf("the command has the session %q of logind", id)
	}
	unit := group[strings.LastIndex(group, "/")+1:]
	got := lab.Run(t, "systemctl", "show", unit, "-p", "MemoryMax", "-p", "CPUQuotaPerSecUSec", "-p", "TasksMax", "-p", "RuntimeMaxUSec", "-p", "KillMode", "-p", "Slice")
	for _, want := range []string{"MemoryMax=536870912", "CPUQuotaPerSecUSec=500ms", "TasksMax=100", "RuntimeMaxUSec=1h", "KillMode=mixed", "Slice=rexec.slice"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s has not %s:\n%s", unit, want, got)
		}
	}
	s.Rest(t)
	awaitEntry(t, "Session closed for alice", "-u", "rexec@*")
}

func TestARequestEndsAfterItsRuntime(t *testing.T) {
	limitJobs(t, "RuntimeMaxSec=1h", "RuntimeMaxSec=2")
	s := lab.Open(t, addr, "alice", "correct-horse", "sleep 4245 & echo $!; exec sleep 4246").Started(t)
	background := s.Line(t)
	a := s.Rest(t)
	if len(a.All) != 0 {
		t.Errorf("%v", a)
	}
	awaitEntry(t, "killed by signal 15 (TERM) after 2.", "REXEC_USER=alice")
	lab.Eventually(t, "what it left in the background has gone", func() bool {
		_, err := os.Stat("/proc/" + background)
		return err != nil
	})
}

func TestTheShippedJobConfChangesNothing(t *testing.T) {
	prepareHost(t)
	text, err := os.ReadFile("/usr/share/doc/rexecd/job.conf")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line != "[Service]" {
			t.Errorf("job.conf says %q as it is shipped", line)
		}
	}
}
