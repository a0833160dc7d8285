package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Under systemd as process 1 each cold server is started by a socket unit with Accept=yes: a unit, a control group and
// two journal entries for each connection, which is what a user of such a host waits for. The units are the same for
// all; a standby has one service that gets the listening socket.
const (
	coldSocket = `[Socket]
ListenStream=127.0.0.1:%d
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
ListenStream=127.0.0.1:%d
Backlog=1024
TriggerLimitIntervalSec=0
`
	standbyService = `[Service]
Type=notify
ExecStart=%s
KillMode=process
`
)

// insideSystemd measures what depends on the super-server, with systemd in its part.
func insideSystemd(opt options) error {
	if err := addUser(); err != nil {
		return err
	}
	if err := shippedSettings(); err != nil {
		return err
	}
	f := newFigures()
	all, err := startUnits(candidates(opt))
	if err != nil {
		return err
	}
	for _, st := range stacks {
		if err := st.install(); err != nil {
			return err
		}
		start := time.Now()
		if err := systemdLatency(f, all, st, opt); err != nil {
			return fmt.Errorf("%s under systemd: %w", st.name, err)
		}
		if err := systemdRates(f, all, st, opt); err != nil {
			return fmt.Errorf("%s under systemd: %w", st.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %-10s pam_%-6s %5.1f s\n", "systemd", st.name, time.Since(start).Seconds())
	}
	return f.save(resultFile("systemd"))
}

func startUnits(list []server) ([]*running, error) {
	var all []*running
	start := []string{"start"}
	for i, s := range list {
		r := &running{server: s, port: 7000 + i}
		command := strings.Join(append([]string{s.exe}, s.args...), " ")
		socket, service, name := coldSocket, coldService, "bench"+s.name+"@.service"
		if s.standing {
			socket, service, name = standbySocket, standbyService, "bench"+s.name+".service"
		}
		dir := "/run/systemd/system/"
		if err := os.WriteFile(dir+name, fmt.Appendf(nil, service, command), 0o644); err != nil {
			return nil, err
		}
		if err := os.WriteFile(dir+"bench"+s.name+".socket", fmt.Appendf(nil, socket, r.port), 0o644); err != nil {
			return nil, err
		}
		start = append(start, "bench"+s.name+".socket")
		if s.standing {
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
		if !r.standing {
			continue
		}
		out, err := exec.Command("systemctl", "show", "-P", "MainPID", "bench"+r.name+".service").Output()
		if err != nil {
			return nil, fmt.Errorf("find supervisor: %w", err)
		}
		if r.pid, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
			return nil, fmt.Errorf("find supervisor: %w", err)
		}
	}
	return all, nil
}

// A user comes to a host at rest. Moving a process into a control group waits for an RCU grace period (8 ms here),
// unless one was moved a moment ago: without this pause the server behind a slow one pays for both.
const rest = 60 * time.Millisecond

// unitsGone waits until systemd has put away the units of a server's connections: their control groups are gone.
func unitsGone(r *running) error {
	if r.standing {
		_, err := r.settle()
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		left, err := filepath.Glob("/sys/fs/cgroup/system.slice/system-bench" + r.name + ".slice/*.service")
		if err != nil || len(left) == 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("units of %s stay", r.name)
}

func systemdLatency(f *figures, all []*running, st stack, opt options) error {
	rounds := pick(opt, 50, 8)
	if st.name == "unix" {
		rounds = pick(opt, 30, 4)
	}
	for _, stderr := range []bool{false, true} {
		for round := range rounds + 2 {
			for i := range all {
				r := all[(i+round)%len(all)]
				time.Sleep(rest)
				nul, eof, err := once(r.port, stderr)
				if err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
				if err := unitsGone(r); err != nil {
					return err
				}
				if round >= 2 {
					f.add(key{"sd-nul", r.name, st.name, variant(stderr)}, ms(nul))
					f.add(key{"sd-eof", r.name, st.name, variant(stderr)}, ms(eof))
				}
			}
		}
	}
	return nil
}

// systemdRates counts connections per second with 8 at once, and the processor time of everything that runs in the
// private host but this program: systemd, the journal, the servers.
func systemdRates(f *figures, all []*running, st stack, opt options) error {
	for round := range pick(opt, 4, 1) {
		for i := range all {
			r := all[(i+round)%len(all)]
			before, err := hostCPU()
			if err != nil {
				return err
			}
			start := time.Now()
			perSecond, err := rate(r.port, 8, false, pick(opt, time.Second, 300*time.Millisecond))
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			done := perSecond * time.Since(start).Seconds()
			if err := unitsGone(r); err != nil {
				return err
			}
			after, err := hostCPU()
			if err != nil {
				return err
			}
			f.add(key{"sd-rate8", r.name, st.name, plain}, perSecond)
			f.add(key{"sd-cpu", r.name, st.name, plain}, ms(after-before)/done)
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
		if t, err := treeCPU(pid); err == nil { // else it ended: its parent counts it
			sum += t
		}
	}
	return sum, nil
}
