// Package places counts what runs at once, in all processes of this host: each
// holds a place for as long as it needs one, and the kernel takes the places of a
// process that has ended, however it did.
package places

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Dir is where the counters lie: on a tmpfs, so that none is left after a boot.
const Dir = "/run/in.rexecd"

// most is the largest number of places that a holder can have.
const most = 1 << 20

// ErrFull means that all places are taken.
var ErrFull = errors.New("all places are taken")

// A Place is held until Release, or until this process ends.
type Place struct {
	fd int
	at int64
}

// Acquire takes one of n places that the counter name has for a holder, such as a
// user ID. It does not wait: the error is ErrFull when all are taken.
//
// A place is a byte of the counter's file that is locked (fcntl(2), F_SETLK). The
// file stays empty: nothing in it can be wrong, and a full file system is no
// hindrance. Such a lock belongs to this process and to no child of it, so that what
// a PAM module forks cannot keep a place; in return no process may have a counter's
// file open twice, which is why there is one Place for a counter at a time.
func Acquire(dir, name string, holder uint32, n int) (*Place, error) {
	fd, err := open(dir, name)
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", name, err)
	}
	first := int64(holder) * most
	for at := first; at < first+int64(min(n, most)); at++ {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
		switch err := unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &lock); err {
		case nil:
			return &Place{fd, at}, nil
		case unix.EAGAIN, unix.EACCES:
		case unix.EINTR:
			at--
		default:
			unix.Close(fd)
			return nil, fmt.Errorf("count %s: %w", name, os.NewSyscallError("lock", err))
		}
	}
	unix.Close(fd)
	return nil, ErrFull
}

// Release gives the place up. Doing so again, or for none, does nothing.
func (p *Place) Release() {
	if p == nil || p.fd < 0 {
		return
	}
	unix.Close(p.fd) // the lock with it
	p.fd = -1
}

// open opens a counter's file, and makes it and the directory where there is none.
// It trusts nothing that another user could have put there: who can open the file
// can take all places.
func open(dir, name string) (int, error) {
	if err := unix.Mkdir(dir, 0o700); err != nil && err != unix.EEXIST {
		return -1, &os.PathError{Op: "make", Path: dir, Err: err}
	}
	d, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(d)
	if err := private(d, unix.S_IFDIR); err != nil {
		return -1, &os.PathError{Op: "use", Path: dir, Err: err}
	}
	file := fileName(name)
	fd, err := unix.Openat(d, file, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: filepath.Join(dir, file), Err: err}
	}
	if err := private(fd, unix.S_IFREG); err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "use", Path: filepath.Join(dir, file), Err: err}
	}
	return fd, nil
}

// fileName is a counter's file: its name with every byte that could mean something
// in a path written as two digits.
func fileName(name string) string {
	b := []byte("places-")
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			b = append(b, c)
		default:
			b = fmt.Appendf(b, "%%%02x", c)
		}
	}
	return string(b)
}

// private returns an error unless what was opened is this user's own alone.
func private(fd int, kind uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != kind:
		return errors.New("it is neither a plain file nor a directory: remove it")
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d: remove it", st.Uid)
	case st.Mode&0o022 != 0, kind == unix.S_IFREG && st.Mode&0o077 != 0:
		return fmt.Errorf("others may use it (mode %04o): remove it", st.Mode&0o7777)
	case kind == unix.S_IFREG && st.Nlink != 1:
		return fmt.Errorf("it has %d names: remove it", st.Nlink)
	}
	return nil
}
