// Package soak asks what connections leave behind. A thousand logins one after the other, then all kinds of connections
// eight at once, then a thousand logins again: nothing may be left that was not there before, every PAM session must be
// closed and logged, and the last thousand must be as fast as the first. The C reference is measured beside both
// thousands, so that the machine's mood cancels out.
package soak

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"rexecd/tests/bench/rig"
)

// Penalties are counted, as always, but never reach what makes a source wait: all failures come from one address.
const soakSettings = "[penalties]\nauthfail = 1\nnoauth = 1\nprotocol = 1\nmin = 86399\nmax = 86400\n"

const sessionFile = "/run/bench-sessions" // pam_count.so writes o and c into it

// findings collects what is wrong; a soak without findings passes.
type findings struct{ list []string }

func (f *findings) check(ok bool, format string, args ...any) {
	verdict := "ok  "
	text := fmt.Sprintf(format, args...)
	if !ok {
		verdict = "FAIL"
		f.list = append(f.list, text)
	}
	fmt.Fprintf(os.Stderr, "soak: %s %s\n", verdict, text)
}

func (f *findings) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return fmt.Errorf("soak found: %s", strings.Join(f.list, "; "))
}

// journal counts the lines that the server promises to log.
type journal struct{ accepted, closed, failed, protocol, trouble atomic.Int64 }

func (j *journal) hear(message []byte) {
	for _, c := range []struct {
		text  string
		count *atomic.Int64
	}{{"Accepted password for", &j.accepted}, {"Session closed for", &j.closed}, {"Failed password for", &j.failed}, {"Protocol error from", &j.protocol}, {"Configuration error", &j.trouble}, {"panic", &j.trouble}} {
		if bytes.Contains(message, []byte(c.text)) {
			c.count.Add(1)
		}
	}
}

// Host is the soak in a private host, without systemd.
func Host(opt rig.Options) error {
	if err := rig.AddUser(); err != nil {
		return err
	}
	for _, dir := range []string{"/tmp", "/var/tmp"} { // else the machine's own would show through
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=1777"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	log := &journal{}
	if err := rig.LogSink(log.hear, "/dev/log", "/run/systemd/journal/socket"); err != nil {
		return err
	}
	if err := soakStack("").Install(); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/rexecd.toml", []byte(soakSettings), 0o644); err != nil {
		return err
	}
	var found findings
	for _, s := range rig.Candidates(opt, rig.Loopback(0)) {
		if s.Name != rig.StandbyName && (!strings.HasSuffix(s.Exe, "/in.rexecd") || s.Name == "netkit") {
			continue
		}
		fmt.Fprintf(os.Stderr, "soak: %s, %d connections\n", s.Label, opt.Conns)
		if err := soakServer(s, opt, log, &found); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return found.err()
}

// soakStack counts sessions; under systemd it registers them with logind, too.
func soakStack(more string) rig.Stack {
	dir, _ := filepath.Abs(rig.WorkDir)
	count := dir + "/pam_count.so " + sessionFile
	return rig.Stack{Name: "count", PAM: "auth required " + count + "\naccount required pam_permit.so\nsession required " + count + "\n" + more}
}

func soakServer(s rig.Server, opt rig.Options, log *journal, found *findings) error {
	*log = journal{}
	if err := os.WriteFile(sessionFile, nil, 0o600); err != nil {
		return err
	}
	pair, stop, err := rig.StartAll([]rig.Server{rig.Candidates(opt, rig.Loopback(0))[2], s})
	if err != nil {
		return err
	}
	defer stop()
	reference, r := pair[0], pair[1]
	ends := min(1000, opt.Conns/4) // logins in each of the two thousands
	// Once of each kind: what is made once and kept, as the penalties' file, is no leak.
	warm, err := mixed(r.Target, len(kinds))
	if err != nil {
		return err
	}
	if _, err := paired(reference, r, 20); err != nil {
		return err
	}
	before, err := takeInventory(r)
	if err != nil {
		return err
	}
	first, err := paired(reference, r, ends)
	if err != nil {
		return err
	}
	logins, err := mixed(r.Target, opt.Conns-2*ends)
	if err != nil {
		return err
	}
	last, err := paired(reference, r, ends)
	if err != nil {
		return err
	}
	if err := waitQuiet(r, before); err != nil {
		found.check(false, "%s: %v", s.Name, err)
	}
	after, err := takeInventory(r)
	if err != nil {
		return err
	}
	after.compare(before, found)
	want := int64(warm + logins + 2*ends + 20)
	checkSessions(found, want+int64(2*ends+20))
	found.check(log.accepted.Load() == want, "%d logins logged as accepted, of %d", log.accepted.Load(), want)
	found.check(log.closed.Load() == want, "%d sessions logged as closed, of %d", log.closed.Load(), want)
	found.check(log.trouble.Load() == 0, "%d complaints in the log", log.trouble.Load())
	found.check(last/first <= 1.1, "NUL against the C reference: first %d %.2f, last %d %.2f", ends, first, ends, last)
	return nil
}

// checkSessions compares the sessions that were opened and closed; the reference's are among them.
func checkSessions(found *findings, want int64) {
	marks, err := os.ReadFile(sessionFile)
	opened, closed := bytes.Count(marks, []byte("o")), bytes.Count(marks, []byte("c"))
	found.check(err == nil && opened == closed && int64(opened) == want, "%d PAM sessions opened, %d closed, of %d", opened, closed, want)
}

// paired is the median ratio of connect to NUL of a server to the reference, each pair a moment apart.
func paired(reference, r *rig.Running, n int) (float64, error) {
	var ratios []float64
	for range n {
		base, _, err := reference.Once(false)
		if err != nil {
			return 0, err
		}
		if _, err := reference.Settle(); err != nil {
			return 0, err
		}
		nul, _, err := r.Once(false)
		if err != nil {
			return 0, err
		}
		if _, err := r.Settle(); err != nil {
			return 0, err
		}
		ratios = append(ratios, rig.MS(nul)/rig.MS(base))
	}
	return rig.Median(ratios), nil
}

// waitQuiet waits until the server's processes are as many as before.
func waitQuiet(r *rig.Running, before inventory) error {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		now, err := takeInventory(r)
		if err != nil {
			return err
		}
		if now.processes == before.processes && now.sockets <= before.sockets {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("processes or sockets stay")
}
