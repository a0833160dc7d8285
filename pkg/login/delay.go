package login

/*
#cgo CFLAGS: -Wall -Wextra
#cgo LDFLAGS: -lpam
#include "delay.h"
*/
import "C"

import (
	"reflect"
	"time"

	"github.com/msteinert/pam/v2"
)

// takeDelay makes PAM leave the sleeping after a failure to the caller.
func (l *Login) takeDelay() error {
	// The binding has no such item, and keeps the handle to itself.
	handle := reflect.ValueOf(l.tx).Elem().FieldByName("handle").UnsafePointer()
	if status := C.login_take_delay((*C.pam_handle_t)(handle)); status != C.PAM_SUCCESS {
		return pam.Error(status)
	}
	return nil
}

// Delay is how long the modules that have run want a refusal to take, PAM's
// random part included. PAM itself does not wait.
func (l *Login) Delay() time.Duration {
	return time.Duration(C.login_delay()) * time.Microsecond
}
