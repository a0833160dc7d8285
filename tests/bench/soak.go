package main

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
)

// The soak asks what connections leave behind. A thousand logins one after the other, then all kinds of connections
// eight at once, then a thousand logins again: nothing may be left that was not there before, every PAM session must be
// closed and logged, and the last thousand must be as fast as the first. The C reference is measured beside both
// thousands, so that the machine's mood cancels out.

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

func insideSoak(opt options) error {
	if err := addUser(); err != nil {
		return err
	}
	for _, dir := range []string{"/tmp", "/var/tmp"} { // else the machine's own would show through
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=1777"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	log := &journal{}
	if err := logSink(log.hear, "/dev/log", "/run/systemd/journal/socket"); err != nil {
		return err
	}
	if err := soakStack("").install(); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/rexecd.toml", []byte(soakSettings), 0o644); err != nil {
		return err
	}
	var found findings
	for _, s := range candidates(opt) {
		if s.name != standbyName && (!strings.HasSuffix(s.exe, "/in.rexecd") || s.name == "netkit") {
			continue
		}
		fmt.Fprintf(os.Stderr, "soak: %s, %d connections\n", s.label, opt.conns)
		if err := soakServer(s, opt, log, &found); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return found.err()
}

// soakStack counts sessions; under systemd it registers them with logind, too.
func soakStack(more string) stack {
	dir, _ := filepath.Abs(workDir)
	count := dir + "/pam_count.so " + sessionFile
	return stack{"count", "auth required " + count + "\naccount required pam_permit.so\nsession required " + count + "\n" + more}
}

func soakServer(s server, opt options, log *journal, found *findings) error {
	*log = journal{}
	if err := os.WriteFile(sessionFile, nil, 0o600); err != nil {
		return err
	}
	pair, stop, err := startAll([]server{candidates(opt)[2], s})
	if err != nil {
		return err
	}
	defer stop()
	reference, r := pair[0], pair[1]
	ends := min(1000, opt.conns/4) // logins in each of the two thousands
	// Once of each kind: what is made once and kept, as the penalties' file, is no leak.
	warm, err := mixed(r.port, len(kinds))
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
	logins, err := mixed(r.port, opt.conns-2*ends)
	if err != nil {
		return err
	}
	last, err := paired(reference, r, ends)
	if err != nil {
		return err
	}
	if err := waitQuiet(r, before); err != nil {
		found.check(false, "%s: %v", s.name, err)
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
func paired(reference, r *running, n int) (float64, error) {
	var ratios []float64
	for range n {
		base, _, err := once(reference.port, false)
		if err != nil {
			return 0, err
		}
		if _, err := reference.settle(); err != nil {
			return 0, err
		}
		nul, _, err := once(r.port, false)
		if err != nil {
			return 0, err
		}
		if _, err := r.settle(); err != nil {
			return 0, err
		}
		ratios = append(ratios, ms(nul)/ms(base))
	}
	return median(ratios), nil
}

// waitQuiet waits until the server's processes are as many as before.
func waitQuiet(r *running, before inventory) error {
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
