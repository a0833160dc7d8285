// Package passwd looks up passwd entries and groups through NSS, as login(1)
// sees them: in files, LDAP, systemd, whatever nsswitch.conf(5) names. The
// standard library's os/user does not return the login shell.
package passwd

/*
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unsafe"
)

// An Entry is one account of passwd(5).
type Entry struct {
	Name     string // the account's own spelling, which may differ from the one looked up
	UID, GID int
	Home     string
	Shell    string // the field as it stands; empty means /bin/sh
}

// ErrUnknown means that no passwd entry has the name. Any other error of Lookup
// is a failure to find out.
var ErrUnknown = errors.New("no such user")

// What one entry may need at most, in bytes.
const (
	maxBuffer = 1 << 20
	maxGroup  = 64 << 20
)

// Lookup returns the passwd entry of a user name.
func Lookup(name string) (*Entry, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return nil, ErrUnknown // C would end the name there
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	return lookup(func(pw *C.struct_passwd, buf *C.char, size C.size_t, found **C.struct_passwd) C.int {
		return C.getpwnam_r(cname, pw, buf, size, found)
	})
}

// LookupID returns the passwd entry of a user ID.
func LookupID(uid int) (*Entry, error) {
	return lookup(func(pw *C.struct_passwd, buf *C.char, size C.size_t, found **C.struct_passwd) C.int {
		return C.getpwuid_r(C.uid_t(uid), pw, buf, size, found)
	})
}

// A query asks NSS for an entry.
type query func(pw *C.struct_passwd, buf *C.char, size C.size_t, found **C.struct_passwd) C.int

func lookup(ask query) (*Entry, error) {
	for size := 1 << 10; size <= maxBuffer; size *= 4 {
		buf := C.malloc(C.size_t(size))
		entry, err := lookupIn(ask, (*C.char)(buf), size)
		C.free(buf)
		switch err {
		case syscall.ERANGE: // a larger buffer, then
		case nil, ErrUnknown:
			return entry, err
		default:
			return nil, fmt.Errorf("look up user: %w", err)
		}
	}
	return nil, fmt.Errorf("look up user: %w", syscall.ERANGE)
}

func lookupIn(ask query, buf *C.char, size int) (*Entry, error) {
	var pw C.struct_passwd
	var found *C.struct_passwd
	switch e := syscall.Errno(ask(&pw, buf, C.size_t(size), &found)); {
	case found != nil:
		return &Entry{
			Name:  C.GoString(found.pw_name),
			UID:   int(found.pw_uid),
			GID:   int(found.pw_gid),
			Home:  C.GoString(found.pw_dir),
			Shell: C.GoString(found.pw_shell),
		}, nil
	case notFound(e):
		return nil, ErrUnknown
	default:
		return nil, e
	}
}

// ErrNoGroup is Group's error if the database has no group of that name.
var ErrNoGroup = errors.New("no such group")

// Group returns the id of a group. Where nsswitch.conf(5) names a directory before
// the files, ErrNoGroup may be a directory that is not reached.
func Group(name string) (int, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return 0, ErrNoGroup
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	for size := 1 << 10; size <= maxGroup; size *= 4 { // a group has the names of all its members
		var gr C.struct_group
		var found *C.struct_group
		buf := C.malloc(C.size_t(size))
		e := syscall.Errno(C.getgrnam_r(cname, &gr, (*C.char)(buf), C.size_t(size), &found))
		id := int(gr.gr_gid)
		C.free(buf)
		switch {
		case found != nil:
			return id, nil
		case e == syscall.ERANGE:
		case e == 0:
			return 0, ErrNoGroup
		default:
			return 0, fmt.Errorf("look up group: %w", e)
		}
	}
	return 0, fmt.Errorf("look up group: %w", syscall.ERANGE)
}

// notFound reports what getpwnam(3) counts as a name that is not there.
func notFound(e syscall.Errno) bool {
	switch e {
	case 0, syscall.ENOENT, syscall.ESRCH, syscall.EBADF, syscall.EPERM:
		return true
	}
	return false
}

// Groups returns the user's group ids, the primary one among them, as
// initgroups(3) would set them.
func (e *Entry) Groups() ([]int, error) {
	cname := C.CString(e.Name)
	defer C.free(unsafe.Pointer(cname))
	const most = 65536 // NGROUPS_MAX
	for n := C.int(64); n <= most; n *= 4 {
		gids, count := make([]C.gid_t, n), n
		if C.getgrouplist(cname, C.gid_t(e.GID), &gids[0], &count) >= 0 {
			list := make([]int, count)
			for i := range list {
				list[i] = int(gids[i])
			}
			return list, nil
		}
	}
	return nil, fmt.Errorf("look up groups of %q: more than %d", e.Name, most)
}
