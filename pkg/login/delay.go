package login

/*
#cgo CFLAGS: -Wall -Wextra
#cgo LDFLAGS: -lpam
#include "delay.h"
*/
import "C"

import (
	"reflect"

	"github.com/msteinert/pam/v2"
)

// takeDelay keeps PAM from sleeping after a failure: delay.c.
func (l *Login) takeDelay() error {
	// The binding has no such item, and keeps the handle to itself.
	handle := reflect.ValueOf(l.tx).Elem().FieldByName("handle").UnsafePointer()
	if status := C.login_take_delay((*C.pam_handle_t)(handle)); status != C.PAM_SUCCESS {
		return pam.Error(status)
	}
	return nil
}
