package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The soak asks what connections leave behind. A thousand logins one after the other, then all kinds of connections
// eight at once, then a thousand logins again: nothing may be left that was not there before, every PAM session must be
// closed and logged, and the last thousand must be as fast as the first. The C reference is measured beside both
// thousands, so that the machine's mood cancels out.

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
	log := &journal{}
	if err := logSink(log.hear, "/dev/log", "/run/systemd/journal/socket"); err != nil {
		return err
	}
	if err := soakStack("").install(); err != nil {
		return err
	}
	var found findings
	for _, s := range candidates(opt) {
		if !strings.HasSuffix(s.exe, "/in.rexecd") || s.name == "netkit" {
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
	want := int64(logins + 2*ends + 20)
	checkSessions(found, 2*(int64(2*ends+20))+int64(logins))
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

// mixed runs n connections of every kind, eight at once, and returns how many of them logged in.
func mixed(port, n int) (int, error) {
	var next, logins atomic.Int64
	var failed atomic.Pointer[error]
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) || failed.Load() != nil {
					return
				}
				kind := kinds[i%int64(len(kinds))]
				if err := kind.run(port); err != nil {
					err = fmt.Errorf("connection %d (%s): %w", i, kind.name, err)
					failed.CompareAndSwap(nil, &err)
					return
				}
				if kind.login {
					logins.Add(1)
				}
			}
		})
	}
	clients.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return int(logins.Load()), nil
}

// kinds of connections: most are ordinary, each sort of trouble comes every 20th time.
var kinds = func() []kind {
	list := []kind{
		{"reset at once", false, resetAtOnce},
		{"bad port", false, func(port int) error { return refused(port, "99999\x00"+userName+"\x00"+password+"\x00true\x00") }},
		{"wrong password", false, func(port int) error { return refused(port, "\x00"+userName+"\x00wrong\x00true\x00") }},
		{"unknown user", false, func(port int) error { return refused(port, "\x00nobody-here\x00"+password+"\x00true\x00") }},
		{"command killed", true, func(port int) error { return command(port, "kill -9 $$", false) }},
		{"signal", true, signalled},
		{"client vanishes", true, vanish},
		{"stderr port", true, func(port int) error { return command(port, "echo out; echo err >&2", true) }},
	}
	for range 12 {
		list = append(list, kind{"true", true, func(port int) error { return command(port, "true", false) }})
	}
	return list
}()

type kind struct {
	name  string
	login bool
	run   func(port int) error
}

func command(port int, text string, stderr bool) error {
	s, err := open(port, text, stderr)
	if err != nil {
		return err
	}
	_, err = s.finish()
	return err
}

// signalled sends SIGTERM down the stderr connection to a command that would last.
func signalled(port int) error {
	s, err := open(port, "sleep 300", true)
	if err != nil {
		return err
	}
	if err := writeAll(s.stderr, string(rune(syscall.SIGTERM))); err != nil {
		return err
	}
	_, err = s.finish()
	return err
}

// vanish resets the connection of a running command; `cat` sees it and ends.
func vanish(port int) error {
	s, err := open(port, "cat", false)
	if err != nil {
		return err
	}
	defer s.close()
	return syscall.SetsockoptLinger(s.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

func resetAtOnce(port int) error {
	fd, err := dial(port)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

// refused sends a request that must be answered with one line.
func refused(port int, request string) error {
	fd, err := dial(port)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := writeAll(fd, request); err != nil {
		return err
	}
	var answer [200]byte
	n, err := read(fd, answer[:])
	if err != nil || n < 2 || answer[0] != 1 {
		return errors.Join(fmt.Errorf("not refused: %q", answer[:max(n, 0)]), err)
	}
	return nil
}

func dial(port int) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 60})
	return fd, syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: loopback})
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
