package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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
	if st, err := os.Stat(name); err == nil && !st.Mode().IsRegular() { // /dev/null, a pipe
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
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
