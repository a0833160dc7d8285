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

// readMetrics reads the metrics that are to be counted on from, if there are any.
func readMetrics(name string) (*render.Metrics, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &render.Metrics{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := render.ReadMetrics(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
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
