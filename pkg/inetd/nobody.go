package inetd

import (
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Ids that no account has: the largest there is, the largest of a user namespace
// of 65,536 ids, and "nobody" where there are fewer. Not "nobody" first: it is an
// account, and the rules of a firewall may permit it something.
var nobodies = [...]uint32{0xfffffffe, 65535, 65534}

// AsNobody calls f, which should do no more than make a socket (socket(2),
// accept4(2)), while the file system ids of its thread are nobody's.
//
// The command is handed the connections themselves, and connect(2) with AF_UNSPEC
// makes an unconnected socket of one. fchown(2) changes the owner that the kernel
// asks for (sk_uid), but not the credentials of whoever opened the file (f_cred):
// nft's "meta skuid" and iptables' "owner" go by those for good. Of root's, they
// would let the user's traffic pass where root's may.
//
// Without the right to change ids there is nothing of root's to hide, and f is
// called as it is.
func AsNobody(f func()) { withFsids(nobodies[:], nobodies[:], f) }

// withFsids calls f with the first of each list of ids that can be taken, for files
// and new sockets, by its own thread alone.
func withFsids(uids, gids []uint32, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	uid, gid := fsid(sysSetfsuid, invalidID), fsid(sysSetfsgid, invalidID)
	changedGID, changedUID := changeFsid(sysSetfsgid, gids...), changeFsid(sysSetfsuid, uids...)
	defer func() {
		uidBack, gidBack := changeFsid(sysSetfsuid, uid), changeFsid(sysSetfsgid, gid)
		if !uidBack || !gidBack {
			panic(fmt.Sprintf("take file system ids %d and %d back", uid, gid)) // nothing here is meant to go on as another
		}
		if changedUID || changedGID {
			// Each change of ids sets this to the value of fs.suid_dumpable; it
			// keeps the process's memory, which is root's, from everybody.
			_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
		}
	}()
	f()
}

// invalidID is an id that is never taken: setting it only returns the present one.
const invalidID = ^uint32(0)

// changeFsid sets the first of ids that the user namespace has, and reports
// whether one is set. The calls themselves report nothing (setfsuid(2)).
func changeFsid(call uintptr, ids ...uint32) bool {
	for _, id := range ids {
		fsid(call, id)
		if fsid(call, invalidID) == id {
			return true
		}
	}
	return false
}

// fsid sets an id of this thread, and returns the one before. Any value is an id:
// on 32-bit machines the largest look like errors.
func fsid(call uintptr, id uint32) uint32 {
	before, _, e := syscall.RawSyscall(call, uintptr(id), 0, 0)
	if e != 0 {
		return -uint32(e)
	}
	return uint32(before)
}
