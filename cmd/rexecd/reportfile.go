package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rexecd/pkg/report/render"
)

// countsOn reports whether metrics go on from those in the output: of the journal
// alone, into a file that is replaced.
func (o *reportOptions) countsOn() bool {
	return o.openmetrics && o.output != "" && o.output != "-" && len(o.files) == 0 && !isOpenElsewhere(o.output)
}

// carried are metrics that go on from those in a file.
type carried struct {
	*render.Metrics
	name string
	file fs.FileInfo // nil: there was none
}

// readMetrics reads the metrics that are to be counted on from, if there are any.
func readMetrics(name string) (*carried, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &carried{Metrics: &render.Metrics{}, name: name}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, err := render.ReadMetrics(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &carried{m, name, st}, nil
}

// unchanged finds that another run has replaced the file meanwhile. It may have read
// more of the journal, and counters must not fall. A lock would be one that every
// reader of the file can hold.
func (c *carried) unchanged() error {
	if c.name == "" {
		return nil
	}
	st, err := os.Stat(c.name)
	if c.file == nil && errors.Is(err, fs.ErrNotExist) || c.file != nil && err == nil && os.SameFile(st, c.file) {
		return nil
	}
	return errors.New("another run has written it meanwhile")
}

// replaceFile writes to a file that appears when it is complete, in place of an
// older one; to out without a name.
func replaceFile(out *os.File, name string, mode os.FileMode, write func(io.Writer) error) error {
	if name == "" || name == "-" {
		return write(out)
	}
	if isOpenElsewhere(name) {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return write(f)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.new") // collectors read files that end in .prom
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name()) // fails once it has its name
	err = write(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// isOpenElsewhere reports whether a name is that of something to write to and not
// to replace: /dev/null, a pipe, or, through /dev/stdout, what the shell has opened.
func isOpenElsewhere(name string) bool {
	if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() {
		return err == nil
	}
	target, err := os.Readlink(name)
	return err == nil && strings.HasPrefix(target, "/proc/")
}
