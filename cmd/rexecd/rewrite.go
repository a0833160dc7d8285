package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rewrite puts what edit makes of a file's text in its place, at once or not at
// all, and reports whether it differs. Owner, mode and attributes stay; a symbolic
// link stays one. Another rewrite waits for this one.
func rewrite(path string, edit func(string) (string, error)) (changed bool, err error) {
	if _, err := os.Lstat(path); err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil { // a link to nowhere is not ours to replace
			return false, fmt.Errorf("read entry: %w", err)
		}
	}
	dir, err := lock(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read entry: %w", err)
	}
	text, err := edit(string(old))
	if err != nil || text == string(old) {
		return false, err
	}
	if err := replace(path, string(old), text); err != nil {
		return false, fmt.Errorf("write entry: %w; %s is as it was", err, path)
	}
	_ = dir.Sync() // so that it is there after a crash
	return true, nil
}

// lockPatience is how long a rewrite waits for others.
const lockPatience = 3 * time.Second

// lock waits for the others that rewrite files in a directory, but not for ever:
// any user can lock a directory that they can read, and without the lock a rewrite
// still notices most changes. A directory that is absent has no others: what is
// returned may be nil.
func lock(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("write entry: %w", err)
	}
	within(lockPatience, func() bool {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		return err != unix.EWOULDBLOCK && err != unix.EINTR // others: NFS without locks
	})
	return dir, nil
}

// replace renames a new file over path, unless it has another text than old.
func replace(path, old, text string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	mode, uid, gid := fs.FileMode(0o644), 0, 0
	if st, err := os.Stat(path); err == nil {
		mode = st.Mode().Perm()
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(sys.Uid), int(sys.Gid)
		}
	}
	_, err = tmp.WriteString(text)
	// The owner first: chown takes mode bits away.
	if err := errors.Join(err, tmp.Chown(uid, gid), tmp.Chmod(mode), copyAttributes(tmp, path), tmp.Sync()); err != nil {
		return err
	}
	if now, err := os.ReadFile(path); err == nil && string(now) != old {
		return errors.New("somebody else has just changed it: try again")
	}
	err = os.Rename(tmp.Name(), path)
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("%w: it is mounted there by itself, as containers do it: edit the file that is mounted", err)
	}
	return err
}

// notCopied are attributes that are about a file's bytes, which differ.
var notCopied = []string{"security.ima", "security.evm"}

// copyAttributes gives f what path has besides owner and mode: access list, SELinux label.
func copyAttributes(f *os.File, path string) error {
	names := make([]byte, 64<<10)
	n, err := unix.Listxattr(path, names)
	if err != nil {
		return nil // a new file, or a file system without them
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		value := make([]byte, 64<<10)
		if n, err := unix.Getxattr(path, name, value); name != "" && err == nil && !slices.Contains(notCopied, name) {
			if err := unix.Fsetxattr(int(f.Fd()), name, value[:n], 0); err != nil {
				return fmt.Errorf("keep attribute %s: %w", name, err)
			}
		}
	}
	return nil
}
