package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/syslog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// What the C library's syslog(3) and Go's send is what a syslog server knows how
// to read: logger(1) is the former in a command.
func TestSyslogLineIsLikeTheLibraries(t *testing.T) {
	got := syslogd(t)
	out, err := exec.Command("logger", "-u", got.system.syslog, "-p", "authpriv.notice", "-t", "in.rexecd",
		"--id="+fmt.Sprint(os.Getpid()), "--", "a line").CombinedOutput()
	if err != nil {
		t.Fatalf("logger: %v\n%s", err, out)
	}
	e := Event{Kind: Failed, User: "alice", Peer: peer4}
	library, err := syslog.Dial("unixgram", got.system.syslog, syslog.LOG_AUTHPRIV|syslog.LOG_NOTICE, identifier)
	if err != nil {
		t.Fatal(err)
	}
	defer library.Close()
	if err := library.Notice(e.Message()); err != nil {
		t.Fatal(err)
	}
	header := regexp.MustCompile(`^<85>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d in\.rexecd\[\d+\]: `)
	logger, golang, ours := got.next(t), got.next(t), e.syslog(time.Now())
	for _, line := range [][]byte{logger, golang, ours} {
		if !header.Match(line) {
			t.Errorf("%q has another header than %s", line, header)
		}
	}
	theirs := strings.TrimSuffix(header.ReplaceAllString(string(golang), ""), "\n")
	if theirs != header.ReplaceAllString(string(ours), "") {
		t.Errorf("log/syslog sends %q, we send %q", golang, ours)
	}
}

// go-systemd's journal package writes to the one path it knows: the test binary is
// started again with a /run of its own.
func TestMain(m *testing.M) {
	if os.Getenv("AUDIT_TEST") != "" {
		if err := compareJournals(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestJournalRecordIsLikeGoSystemds(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root, for a /run of its own")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AUDIT_TEST=1", "GOCOVERDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func compareJournals() error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("run", "/run", "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(journalSocket), 0o755); err != nil {
		return err
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: journalSocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	for _, text := range hostile {
		e := Event{Kind: Failed, User: text, Peer: peer6, Reason: fmt.Errorf("%s", text), Command: text, Exit: 1}
		if (systemLog{}).send(&e) != nil {
			return fmt.Errorf("send %q: not in time", text)
		}
		if err := journal.Send(e.Message(), journal.PriNotice, fieldMap(&e)); err != nil {
			return err
		}
		var records [2][]string
		for i := range records {
			buf := make([]byte, 1<<16)
			n, err := c.Read(buf)
			if err != nil {
				return err
			}
			records[i] = fieldsOf(buf[:n])
		}
		if !slices.Equal(records[0], records[1]) {
			return fmt.Errorf("for %q we send\n%q\ngo-systemd sends\n%q", text, records[0], records[1])
		}
	}
	return nil
}

// fieldsOf cuts a record into its fields, sorted: go-systemd's come in any order.
func fieldsOf(b []byte) []string {
	var fields []string
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if !bytes.Contains(b[:end], []byte{'='}) {
			end += 8 + int(binary.LittleEndian.Uint64(b[end:])) + 1
		}
		fields = append(fields, string(b[:end]))
		b = b[end:]
	}
	slices.Sort(fields)
	return fields
}
