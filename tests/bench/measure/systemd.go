package measure

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rexecd/tests/bench/rig"
)

// Under systemd as process 1 each cold server is started by a socket unit with Accept=yes: a unit, a control group and
// two journal entries for each connection, which is what a user of such a host waits for. The units are the same for
// all; a standby has one service that gets the listening socket.
const (
	coldSocket = `[Socket]
ListenStream=%s
Accept=yes
Backlog=1024
MaxConnections=2000
TriggerLimitIntervalSec=0
`
	coldService = `[Unit]
CollectMode=inactive-or-failed
[Service]
ExecStart=-%s
StandardInput=socket
KillMode=process
`
	standbySocket = `[Socket]
ListenStream=%s
Backlog=1024
TriggerLimitIntervalSec=0
`
	standbyService = `[Service]
Type=notify
ExecStart=%s
KillMode=process
`
)

// Systemd measures what depends on the super-server, with systemd in its part.
func Systemd(opt rig.Options) (*Figures, error) {
	at, err := prepare()
	if err != nil {
		return nil, err
	}
	f := NewFigures()
	all, err := startUnits(rig.Candidates(opt, at))
	if err != nil {
		return nil, err
	}
	for _, st := range rig.Stacks {
		if err := st.Install(); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := systemdLatency(f, all, st, opt); err != nil {
			return nil, fmt.Errorf("%s under systemd: %w", st.Name, err)
		}
		if err := systemdRates(f, all, st, opt); err != nil {
			return nil, fmt.Errorf("%s under systemd: %w", st.Name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %-10s pam_%-6s %5.1f s\n", "systemd", st.Name, time.Since(start).Seconds())
	}
	return f, nil
}

func startUnits(list []rig.Server) ([]*rig.Running, error) {
	var all []*rig.Running
	start := []string{"start"}
	for i, s := range list {
		s.Target = s.At(7000 + i)
		r := &rig.Running{Server: s}
		command := strings.Join(append([]string{s.Exe}, s.Args...), " ")
		socket, service, name := coldSocket, coldService, "bench"+s.Name+"@.service"
		if s.Standing {
			socket, service, name = standbySocket, standbyService, "bench"+s.Name+".service"
		}
		dir := "/run/systemd/system/"
		if err := os.WriteFile(dir+name, fmt.Appendf(nil, service, command), 0o644); err != nil {
			return nil, err
		}
		if err := os.WriteFile(dir+"bench"+s.Name+".socket", fmt.Appendf(nil, socket, netip.AddrPortFrom(r.Addr, uint16(r.Port))), 0o644); err != nil {
			return nil, err
		}
		start = append(start, "bench"+s.Name+".socket")
		if s.Standing {
			start = append(start, name)
		}
		all = append(all, r)
	}
	for _, args := range [][]string{{"daemon-reload"}, start} {
		if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("systemctl %v: %w: %s", args, err, out)
		}
	}
	for _, r := range all {
		if !r.Standing {
			continue
		}
		out, err := exec.Command("systemctl", "show", "-P", "MainPID", "bench"+r.Name+".service").Output()
		if err != nil {
			return nil, fmt.Errorf("find supervisor: %w", err)
		}
		if r.PID, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
			return nil, fmt.Errorf("find supervisor: %w", err)
		}
	}
	return all, nil
}

// A user comes to a host at rest. Moving a process into a control group waits for an RCU grace period (8 ms here),
// unless one was moved a moment ago: without this pause the server behind a slow one pays for both.
const rest = 60 * time.Millisecond

// unitsGone waits until systemd has put away the units of a server's connections: their control groups are gone.
func unitsGone(r *rig.Running) error {
	if r.Standing {
		_, err := r.Settle()
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		left, err := filepath.Glob("/sys/fs/cgroup/system.slice/system-bench" + r.Name + ".slice/*.service")
		if err != nil || len(left) == 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("units of %s stay", r.Name)
}

func systemdLatency(f *Figures, all []*rig.Running, st rig.Stack, opt rig.Options) error {
	rounds := rig.Pick(opt, 50, 8)
	if st.Name == "unix" {
		rounds = rig.Pick(opt, 30, 4)
	}
	for _, stderr := range []bool{false, true} {
		for round := range rounds + 2 {
			for i := range all {
				r := all[(i+round)%len(all)]
				time.Sleep(rest)
				nul, eof, err := r.Once(stderr)
				if err != nil {
					return fmt.Errorf("%s: %w", r.Name, err)
				}
				if err := unitsGone(r); err != nil {
					return err
				}
				if round >= 2 {
					f.add(Key{"sd-nul", r.Name, st.Name, Variant(stderr)}, rig.MS(nul))
					f.add(Key{"sd-eof", r.Name, st.Name, Variant(stderr)}, rig.MS(eof))
				}
			}
		}
	}
	return nil
}

// systemdRates counts connections per second with 8 at once, and the processor time of everything that runs in the
// private host but this program: systemd, the journal, the servers.
func systemdRates(f *Figures, all []*rig.Running, st rig.Stack, opt rig.Options) error {
	for round := range rig.Pick(opt, 4, 1) {
		for i := range all {
			r := all[(i+round)%len(all)]
			before, err := hostCPU()
			if err != nil {
				return err
			}
			start := time.Now()
			perSecond, err := rate(r.Target, 8, false, rig.Pick(opt, time.Second, 300*time.Millisecond))
			if err != nil {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
			done := perSecond * time.Since(start).Seconds()
			if err := unitsGone(r); err != nil {
				return err
			}
			after, err := hostCPU()
			if err != nil {
				return err
			}
			f.add(Key{"sd-rate8", r.Name, st.Name, Plain}, perSecond)
			f.add(Key{"sd-cpu", r.Name, st.Name, Plain}, rig.MS(after-before)/done)
		}
	}
	return nil
}

// hostCPU is the processor time of every process of this namespace and of those that were reaped, but this program's.
func hostCPU() (time.Duration, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, d := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(d))
		if pid == os.Getpid() {
			continue
		}
		if t, err := rig.TreeCPU(pid); err == nil { // else it ended: its parent counts it
			sum += t
		}
	}
	return sum, nil
}
