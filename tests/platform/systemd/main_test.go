// Package systemd tests the shipped units with systemd as process 1 of a private host: what `make
// install` installs, and what an administrator types.
package systemd

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.MainSystemd(m) }

const addr = "127.0.0.1:512"

// All failures of the tests come from these addresses, and would be made to wait.
const settings = "[penalties]\nexempt = [\"127.0.0.1\", \"::1\"]\n"

func setSettings(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile("/etc/rexecd.toml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var host sync.Once

// prepareHost installs as README.md says, and makes one account.
func prepareHost(t *testing.T) {
	t.Helper()
	host.Do(func() {
		install(t)
		setSettings(t, settings)
		lab.AddUser(t, lab.User{Name: "alice", Password: "correct-horse"})
	})
}

// install is `make install`. The tests have built the programs; make only puts them in place.
func install(t *testing.T) {
	t.Helper()
	lab.Run(t, "make", "-s", "-C", lab.Root(t), "install", "PAMFAMILY=debian")
	lab.Run(t, "cp", lab.Server(t), lab.Rexecd(t), "/usr/sbin")
	lab.Run(t, "cp", lab.Client(t), "/usr/bin/rexec")
}

// enable starts the socket as the manual says, and stops it with the test.
func enable(t *testing.T) {
	t.Helper()
	prepareHost(t)
	lab.Run(t, "systemctl", "enable", "--now", "rexec.socket")
	t.Cleanup(func() {
		lab.Run(t, "systemctl", "disable", "--now", "rexec.socket")
		says("systemctl", "reset-failed")
	})
}

// dropIn adds a drop-in for the socket while the test runs.
func dropIn(t *testing.T, text string) {
	t.Helper()
	const dir = "/etc/systemd/system/rexec.socket.d"
	reload := func() { lab.Run(t, "systemctl", "daemon-reload"); lab.Run(t, "systemctl", "restart", "rexec.socket") }
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/test.conf", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	reload()
	t.Cleanup(func() { os.RemoveAll(dir); reload() })
}

// says runs a command whose exit status is an answer and not a failure.
func says(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func ask(t *testing.T, command string) lab.Answer {
	t.Helper()
	return lab.Ask(t, addr, lab.Request{User: "alice", Password: "correct-horse", Command: command})
}

// journal returns the entries that match, newest last.
func journal(t *testing.T, matches ...string) []map[string]any {
	t.Helper()
	lab.Run(t, "journalctl", "--sync")
	var entries []map[string]any
	for line := range strings.Lines(lab.Run(t, "journalctl", append([]string{"-o", "json", "--no-pager", "-q"}, matches...)...)) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("journal entry %q: %v", line, err)
		}
		entries = append(entries, e)
	}
	return entries
}

// awaitEntry waits for an entry with the message text, which may be a part.
func awaitEntry(t *testing.T, text string, matches ...string) map[string]any {
	t.Helper()
	var found map[string]any
	lab.Eventually(t, fmt.Sprintf("%q in the journal", text), func() bool {
		for _, e := range journal(t, matches...) {
			if m, _ := e["MESSAGE"].(string); strings.Contains(m, text) {
				found = e
			}
		}
		return found != nil
	})
	return found
}

// services lists the units of running connections, and failed ones.
func services(t *testing.T) []string {
	t.Helper()
	return strings.Fields(lab.Run(t, "sh", "-c", `systemctl list-units --plain --no-legend 'rexec@*' | awk '{print $1}'`))
}
