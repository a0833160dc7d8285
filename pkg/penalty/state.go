package penalty

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// The state is one file of fixed size: a header with the key, then a hash table
// of buckets in three regions, for IPv4, for IPv6 and for users behind shared
// sources, so that an abundance of one kind cannot push out another. An origin
// has one bucket, chosen by a keyed hash, and takes one of its slots; a full
// bucket gives up a penalty that would have ended soon, as OpenSSH's
// "permissive" does. There is no "deny-all": whoever filled the table would lock
// everybody out. A slot names its source in full, so a collision can cost an
// attacker's penalty and never an innocent peer's access.
//
// Every slot carries a checksum: half a write, a truncated file or garbage are
// no penalty, and the next failure repairs the file. A file of another format
// has another first line; it is no penalty either, and the next failure replaces
// it. The file lies on a tmpfs and is sparse; no attacker can make it grow over
// its size.
const (
	stateName    = "penalties"
	magic        = "in.rexecd pen 2\n"
	headerSize   = 4096 // so that buckets do not cross pages
	slotSize     = 32
	ways         = 8
	bucketSize   = ways * slotSize
	perRegion    = 2048
	sharedRegion = 2 * perRegion // its first bucket
	buckets      = 3 * perRegion
	stateSize    = headerSize + buckets*bucketSize // 1.5 MB: 16384 origins in each region
)

// A stateFile is the opened state.
type stateFile struct {
	fd   int
	path string
	key  [16]byte
}

// errHeader is a state that was never written to its end, or not by this program.
var errHeader = errors.New("no valid header")

// open opens the state. Where there is none it returns nil, or makes it. It
// trusts nothing that another user could have put there.
func (t *Table) open(create bool) (*stateFile, error) {
	dir, err := unix.Open(t.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT && create {
		if err := unix.Mkdir(t.Dir, 0o700); err != nil && err != unix.EEXIST {
			return nil, stateError("make", t.Dir, err)
		}
		dir, err = unix.Open(t.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	switch {
	case err == unix.ENOENT:
		return nil, nil
	case err != nil:
		return nil, stateError("open", t.Dir, err)
	}
	defer unix.Close(dir)
	if err := private(dir, unix.S_IFDIR); err != nil {
		return nil, stateError("use", t.Dir, err)
	}
	path := filepath.Join(t.Dir, stateName)
	flags := unix.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	if create {
		flags |= unix.O_CREAT
	}
	fd, err := unix.Openat(dir, stateName, flags, 0o600)
	switch {
	case err == unix.ENOENT:
		return nil, nil
	case err != nil:
		return nil, stateError("open", path, err)
	}
	if err := private(fd, unix.S_IFREG); err != nil {
		unix.Close(fd)
		return nil, stateError("use", path, err)
	}
	return &stateFile{fd: fd, path: path}, nil
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

func stateError(verb, path string, err error) error {
	return fmt.Errorf("%s penalty state: %w", verb, &os.PathError{Op: verb, Path: path, Err: err})
}

func (f *stateFile) close() { unix.Close(f.fd) }

// lock takes the lock that every writer takes; close gives it up, and so does
// the end of the process. It waits, but never long: the holder is another
// process like this one, which needs some microseconds.
func (f *stateFile) lock() error {
	const patience = 200 * time.Millisecond
	pause := 50 * time.Microsecond
	for waited := time.Duration(0); ; waited += pause {
		err := unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if err != unix.EINTR && (err != unix.EWOULDBLOCK || waited > patience) {
			return stateError("lock", f.path, err)
		}
		pause = min(2*pause, 4*time.Millisecond)
		ts := unix.NsecToTimespec(pause.Nanoseconds()) // no timer of Go's, which takes a thread
		unix.Nanosleep(&ts, nil)
	}
}

// readHeader reads the key.
func (f *stateFile) readHeader() error {
	var h [len(magic) + 16 + 8]byte
	if n, err := unix.Pread(f.fd, h[:], 0); err != nil || n < len(h) || string(h[:len(magic)]) != magic {
		return errHeader
	}
	copy(f.key[:], h[len(magic):])
	if binary.LittleEndian.Uint64(h[len(magic)+16:]) != sipHash(&f.key, h[:len(magic)]) {
		return errHeader
	}
	return nil
}

// format makes the file an empty table with a key of its own.
func (f *stateFile) format() error {
	if _, err := unix.Getrandom(f.key[:], 0); err != nil {
		return stateError("make key of", f.path, err)
	}
	h := append([]byte(magic), f.key[:]...)
	h = binary.LittleEndian.AppendUint64(h, sipHash(&f.key, h[:len(magic)]))
	if err := unix.Ftruncate(f.fd, 0); err != nil {
		return stateError("empty", f.path, err)
	}
	return f.write(h, 0)
}

type bucket [bucketSize]byte

func (b *bucket) slot(i int) []byte { return b[i*slotSize : (i+1)*slotSize] }

// readBucket reads a bucket; anything past the end of the file is zero.
func (f *stateFile) readBucket(home int, b *bucket) error {
	n, err := unix.Pread(f.fd, b[:], int64(headerSize+home*bucketSize))
	if err != nil {
		return stateError("read", f.path, err)
	}
	clear(b[n:])
	return nil
}

func (f *stateFile) writeSlot(home, i int, s slot) error {
	return f.write(f.encode(s), int64(headerSize+home*bucketSize+i*slotSize))
}

func (f *stateFile) writeBucket(home int, b *bucket) error {
	return f.write(b[:], int64(headerSize+home*bucketSize))
}

func (f *stateFile) write(b []byte, at int64) error {
	n, err := unix.Pwrite(f.fd, b, at)
	if err == nil && n < len(b) {
		err = unix.ENOSPC
	}
	if err != nil {
		return stateError("write", f.path, err)
	}
	return nil
}
