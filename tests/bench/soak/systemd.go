package soak

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rexecd/tests/bench/rig"
)

// Systemd is the part of the soak that needs systemd as process 1, logind and the journal: the units that
// ship, with sessions registered by pam_systemd. It asks what stays of units, control groups, sessions and errors.
func Systemd(opt rig.Options) error {
	if err := rig.AddUser(); err != nil {
		return err
	}
	if err := installShipped(); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/rexecd.toml", []byte(soakSettings), 0o644); err != nil {
		return err
	}
	if err := soakStack("session required pam_systemd.so\n").Install(); err != nil {
		return err
	}
	var found findings
	for _, unit := range []string{"rexec.socket", "rexec-standby.socket"} {
		if _, err := os.Stat("/run/systemd/system/" + unit); err != nil {
			continue
		}
		if err := soakUnit(unit, opt.Conns/10, &found); err != nil {
			return fmt.Errorf("%s: %w", unit, err)
		}
	}
	return found.err()
}

// installShipped puts the server and its units where the packages put them.
func installShipped() error {
	var units []string
	for _, kind := range []string{"socket", "service"} { // and no directory of drop-ins
		found, err := filepath.Glob("systemd/*." + kind)
		if err != nil {
			return err
		}
		units = append(units, found...)
	}
	for _, u := range units {
		if err := copyFile(u, "/run/systemd/system/"+filepath.Base(u), 0o644); err != nil {
			return err
		}
	}
	for _, name := range []string{"in.rexecd", "rexecd"} {
		if err := copyFile(filepath.Join(rig.WorkDir, name), "/usr/sbin/"+name, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	_ = os.Remove(to)
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// What the shipped units listen on.
var execPort = rig.Loopback(512)

func soakUnit(unit string, n int, found *findings) error {
	fmt.Fprintf(os.Stderr, "soak: %s under systemd as process 1, %d connections\n", unit, n)
	if err := os.WriteFile(sessionFile, nil, 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"daemon-reload"}, {"start", unit}} {
		if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl %v: %w: %s", args, err, out)
		}
	}
	since := time.Now().Format(time.DateTime)
	warm, err := mixed(execPort, len(kinds))
	if err != nil {
		return err
	}
	time.Sleep(time.Second) // let logind start what it starts once
	before := whatStays()
	logins, err := mixed(execPort, n)
	if err != nil {
		return err
	}
	after := whatStays()
	for deadline := time.Now().Add(60 * time.Second); after != before && time.Now().Before(deadline); after = whatStays() {
		time.Sleep(200 * time.Millisecond)
	}
	found.check(after.units <= before.units, "units of connections: %d before, %d after", before.units, after.units)
	found.check(after.groups <= before.groups, "control groups: %d before, %d after", before.groups, after.groups)
	found.check(after.sessions == 0, "sessions of logind after: %d", after.sessions)
	found.check(after.failed == 0, "failed units after: %d", after.failed)
	checkSessions(found, int64(warm+logins))
	_ = exec.Command("journalctl", "--sync").Run()
	// The server's own words at error level or worse, and systemd's about the units.
	out, err := exec.Command("journalctl", "-q", "--no-pager", "-p", "err", "--since", since, "-o", "cat", "_COMM=in.rexecd", "_COMM=rexecd", "+", "_PID=1").Output()
	found.check(err == nil && len(out) == 0, "errors in the journal: %d %s", strings.Count(string(out), "\n"), firstLines(out))
	if out, err := exec.Command("systemctl", "stop", unit, strings.Replace(unit, ".socket", ".service", 1)).CombinedOutput(); err != nil && !strings.Contains(string(out), "not loaded") {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}

func firstLines(text []byte) string {
	lines := strings.SplitN(string(text), "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], "; ")
}

// stays is what connections could leave with systemd.
type stays struct{ units, groups, sessions, failed int }

func whatStays() stays {
	count := func(name string, args ...string) int {
		out, _ := exec.Command(name, args...).Output()
		return strings.Count(string(out), "\n")
	}
	var s stays
	s.units = count("systemctl", "list-units", "--all", "--plain", "--no-legend", "rexec@*", "session-*.scope")
	s.failed = count("systemctl", "list-units", "--failed", "--plain", "--no-legend", "rexec*")
	s.sessions = count("loginctl", "list-sessions", "--no-legend")
	_ = filepath.WalkDir("/sys/fs/cgroup", func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			s.groups++
		}
		return nil
	})
	return s
}
