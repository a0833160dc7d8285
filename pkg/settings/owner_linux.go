package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Writable returns an error for each file, directory and symbolic link on the
// way to the settings through which somebody other than root, or than the user
// who runs this, could change them.
func (s Sources) Writable() []error {
	paths := s.Files
	if s.dir != "" {
		paths = append(paths[:len(paths):len(paths)], s.dir)
	}
	seen, found := map[string]bool{}, []error(nil)
	for _, path := range paths {
		path, err := filepath.Abs(path)
		if err == nil {
			err = checkOwners(path, seen)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			found = append(found, err)
		}
	}
	return found
}

// checkOwners looks at each component of a path, and at what its links lead
// through: whoever owns one of them owns the file.
func checkOwners(path string, seen map[string]bool) error {
	const mostLinks = 40 // as in the kernel
	look := func(at string) (fs.FileInfo, error) {
		st, err := os.Lstat(at)
		if err == nil && !seen[at] {
			seen[at] = true
			err = checkOwner(at, st)
		}
		return st, err
	}
	if _, err := look("/"); err != nil {
		return err
	}
	links, at := 0, "/" // at has no link in it
	for rest := strings.Split(path, "/"); len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		st, err := look(next)
		if err != nil {
			return err
		}
		if st.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > mostLinks {
			return &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		target, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}

// checkOwner looks at one component. In a directory with the sticky bit, such
// as /tmp, others cannot replace what is there.
func checkOwner(path string, st fs.FileInfo) error {
	uid := st.Sys().(*syscall.Stat_t).Uid
	switch {
	case uid != 0 && int(uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to uid %d, who could change the settings: chown root %[1]s", path, uid)
	case st.Mode()&fs.ModeSymlink != 0, st.IsDir() && st.Mode()&fs.ModeSticky != 0:
		return nil
	case st.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s has mode %04o, so that others than its owner could change the settings: chmod go-w %[1]s",
			path, st.Mode().Perm())
	}
	return nil
}
