package login

import (
	"fmt"
	"testing"
	"time"
)

// libpam itself would sleep ten minutes here.
func TestDelayAfterAFailureIsAskedForAndNotSlept(t *testing.T) {
	const asked = 10 * time.Minute
	l := start(t, fmt.Sprintf("auth optional pam_faildelay.so delay=%d\nauth required pam_deny.so\n", asked.Microseconds()))
	if l.Delay() != 0 {
		t.Errorf("Delay() = %v before anything was asked", l.Delay())
	}
	if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false); err == nil {
		t.Fatal("alice was let in")
	}
	if got := l.Delay(); got < asked/2 || got > asked*2 { // pam_fail_delay(3): up to a half more or less
		t.Errorf("Delay() = %v; want about %v", got, asked)
	}
	if l = start(t, "auth required pam_deny.so\n"); l.Delay() != 0 {
		t.Errorf("Delay() = %v in another transaction", l.Delay())
	}
}
