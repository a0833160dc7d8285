package systemd

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
	"rexecd/tests/manual"
)

// The other examples are tried by tests/manual.
func TestTheManualsCommandsForSystemdRun(t *testing.T) {
	prepareHost(t)
	if err := os.WriteFile("/root/.netrc", []byte("default login alice password correct-horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pages, err := manual.Pages(lab.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	enable(t)
	ask(t, "true") // so that there is something in the log
	tried := 0
	for _, page := range pages {
		examples, err := manual.Read(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range examples {
			if e.Kind != "systemd" {
				continue
			}
			tried++
			t.Run(e.String(), func(t *testing.T) {
				t.Cleanup(func() {
					lab.Run(t, "systemctl", "disable", "--now", "--quiet", "rexec.socket", "rexec-standby.socket", "rexec-report.timer")
				})
				for _, line := range e.Lines {
					cmd := exec.Command("bash", "-c", line)
					cmd.Env = append(os.Environ(), "HOME=/root", "SYSTEMD_PAGER=cat")
					if out, err := cmd.CombinedOutput(); err != nil && !lacksPrivileges(string(out)) {
						t.Errorf("%s: %v\n%s", line, err, out)
					}
				}
			})
		}
	}
	if tried < 3 {
		t.Errorf("%d examples of the kind systemd", tried)
	}
}

// lacksPrivileges reports whether the only thing that rexecd -check found wrong
// is a capability that this private host does not have.
func lacksPrivileges(out string) bool {
	return strings.Count(out, "FAIL") == 1 && strings.Contains(out, "FAIL privileges: capability")
}
