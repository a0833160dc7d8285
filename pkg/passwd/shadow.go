package passwd

/*
#include <shadow.h>
#include <string.h>
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"syscall"
	"unsafe"
)

// Locked reports whether no password is right for the account: the field of
// shadow(5) begins with "!" or "*". An account without a shadow entry is not known
// to be locked: its password may be a directory server's. It takes root.
func (e *Entry) Locked() (bool, error) {
	cname := C.CString(e.Name)
	defer C.free(unsafe.Pointer(cname))
	for size := 1 << 10; size <= maxBuffer; size *= 4 {
		locked, err := lockedIn(cname, size)
		if err != syscall.ERANGE {
			return locked, err
		}
	}
	return false, fmt.Errorf("look up password of %q: %w", e.Name, syscall.ERANGE)
}

func lockedIn(name *C.char, size int) (bool, error) {
	buf := C.malloc(C.size_t(size))
	defer C.free(buf)
	var sp C.struct_spwd
	var found *C.struct_spwd
	switch e := syscall.Errno(C.getspnam_r(name, &sp, (*C.char)(buf), C.size_t(size), &found)); {
	case found != nil:
		// Nothing of the field but its first byte leaves C.
		first := byte(*found.sp_pwdp)
		locked := first == '!' || first == '*'
		C.memset(buf, 0, C.size_t(size))
		return locked, nil
	case e == syscall.ERANGE:
		return false, e
	case e == 0, e == syscall.ENOENT, e == syscall.ESRCH:
		return false, nil
	default:
		return false, fmt.Errorf("look up password: %w", e)
	}
}
