package main

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"rexecd/pkg/report"
)

// A logReader gives logs to a tally, one after the other.
type logReader struct {
	tally    *report.Tally
	now      time.Time
	verified bool // the journal alone was read
	files    []string
	progress *progress
}

// errInterrupted is that somebody has pressed Ctrl-C.
var errInterrupted = errors.New("interrupted")

// names says which logs were read.
func (l *logReader) names() string {
	switch n := len(l.files); {
	case n == 0:
		return "the journal"
	case n > 3:
		return fmt.Sprintf("%s and %d files more", l.files[0], n-1)
	}
	return strings.Join(l.files, ", ")
}

// read reads the files that the patterns name, or the journal.
func (l *logReader) read(patterns []string) error {
	var files []string
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		switch {
		case p == "-" || err == nil && len(found) == 0:
			found = []string{p} // the error is that of opening it
		case err != nil:
			return fmt.Errorf("-file %q: %w", p, err)
		}
		for _, name := range found {
			if !slices.ContainsFunc(files, func(f string) bool { return sameFile(f, name) }) {
				files = append(files, name)
			}
		}
	}
	l.progress = startProgress(l.now, files)
	defer l.progress.end()
	l.verified, l.files = true, files
	if patterns == nil {
		return l.readJournal()
	}
	for _, name := range files {
		if err := l.readFile(name); err != nil {
			return err
		}
	}
	return nil
}

// sameFile reports whether two names are those of one file, which patterns that
// overlap, or links, must not have counted twice.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

func (l *logReader) readFile(name string) error {
	newest := l.now
	var in io.Reader
	if name == "-" {
		in = l.endless(func() (*os.File, error) { return os.Stdin, nil })
	} else {
		st, err := os.Stat(name)
		switch {
		case err != nil:
			return err
		case st.IsDir():
			return l.readJournal("--directory=" + name)
		case strings.HasSuffix(name, ".journal"):
			return l.readJournal("--file=" + name)
		case !st.Mode().IsRegular():
			in = l.endless(func() (*os.File, error) { return os.Open(name) })
		default:
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
			if st.ModTime().Before(newest) {
				newest = st.ModTime()
			}
		}
	}
	defer l.progress.onStop(nil)
	l.verified = false
	log, end, err := decompress(l.progress.count(in))
	if err == nil {
		err = l.tally.Read(log, newest, nil)
		err = errors.Join(err, end())
	}
	if l.progress.stopped.Load() {
		return errInterrupted
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// endless reads a pipe or a terminal, of which neither opening nor reading need ever
// return: Ctrl-C is its end.
func (l *logReader) endless(open func() (*os.File, error)) io.Reader {
	r, w := io.Pipe()
	l.progress.onStop(func() { w.Close() })
	go func() {
		f, err := open()
		if err == nil {
			_, err = io.Copy(w, f)
		}
		w.CloseWithError(err)
	}()
	return r
}

// decompress reads a file by what it begins with, whatever its name is. end
// reports whether the program that decompresses, if any, did all of it.
func decompress(f io.Reader) (log io.Reader, end func() error, err error) {
	b := bufio.NewReaderSize(f, 1<<16)
	begin, _ := b.Peek(6)
	none := func() error { return nil }
	switch {
	case bytes.HasPrefix(begin, []byte{0x1f, 0x8b}):
		log, err = gzip.NewReader(b)
		return log, none, err
	case bytes.HasPrefix(begin, []byte("BZh")):
		return bzip2.NewReader(b), none, nil
	case bytes.HasPrefix(begin, []byte("\xfd7zXZ\x00")):
		return start(exec.Command("xz", "--decompress", "--stdout"), b)
	case bytes.HasPrefix(begin, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return start(exec.Command("zstd", "--decompress", "--stdout", "--quiet"), b)
	}
	return b, none, nil
}

// start starts a program whose output is the log. end waits for it, and returns
// what it complained of; it must be called once the log has been read.
func start(cmd *exec.Cmd, in io.Reader) (log io.Reader, end func() error, err error) {
	var complaint tail
	cmd.Stdin, cmd.Stderr = in, &complaint
	// Ctrl-C is for this program; its end is the child's.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", cmd.Args[0], err)
	}
	return out, func() error {
		out.Close()
		err := cmd.Wait()
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, complaint.text())
	}, nil
}

// readJournal reads the journal of this host, or the one that an argument names.
func (l *logReader) readJournal(where ...string) error {
	args := append([]string{"--output=export", "--no-pager", "--output-fields=" + report.Fields, "-t", "in.rexecd", "-t", "in.rshd"}, where...)
	// Not --until: with it journalctl ends at the first entry that is later, which may
	// be one of a clock that was wrong for a moment.
	switch begin := l.tally.Earliest(); {
	case l.tally.Cursor() != "" && where == nil:
		args = append(args, "--cursor="+l.tally.Cursor())
	case !begin.IsZero():
		args = append(args, "--since=@"+strconv.FormatInt(begin.Unix(), 10))
	}
	var complaint tail
	cmd := exec.Command("journalctl", args...)
	cmd.Stderr = &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("read the journal: %w; without systemd, name syslog's file with -file", err)
	}
	l.progress.onStop(func() { cmd.Process.Kill() })
	err = l.tally.Read(out, l.now, l.progress.time)
	if err != nil {
		cmd.Process.Kill()
	}
	l.progress.onStop(nil)
	err = errors.Join(err, cmd.Wait())
	switch said := complaint.text(); {
	case l.progress.stopped.Load():
		return errInterrupted
	case err != nil:
		return fmt.Errorf("read the journal: journalctl: %w: %s", err, said)
	case said != "":
		l.progress.end()
		fmt.Fprintf(os.Stderr, "rexecd: journalctl: %s\n", said)
	}
	return nil
}

// A tail keeps the beginning of what a program complains of.
type tail struct{ bytes.Buffer }

func (t *tail) Write(b []byte) (int, error) {
	t.Buffer.Write(b[:min(len(b), max(0, 4096-t.Len()))])
	return len(b), nil
}

// text is one line without control characters.
func (t *tail) text() string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(t.String(), "?"), func(r rune) bool {
		return !strconv.IsPrint(r)
	}), "; ")
}

// A counted reader tells the progress how far it is, and ends when it stops.
type counted struct {
	from    io.Reader
	n       *atomic.Int64
	stopped *atomic.Bool
}

func (c *counted) Read(b []byte) (int, error) {
	if c.stopped.Load() {
		return 0, io.EOF
	}
	n, err := c.from.Read(b)
	c.n.Add(int64(n))
	return n, err
}
