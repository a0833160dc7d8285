package login

import (
	"fmt"
	"testing"
	"time"
)

// libpam itself would sleep for half a minute at least: pam_fail_delay(3) takes up
// to half of the time away at random.
func TestDelayThatAModuleAsksForIsNotSlept(t *testing.T) {
	const asked = time.Minute
	l := start(t, fmt.Sprintf("auth optional pam_faildelay.so delay=%d\nauth required pam_deny.so\n", asked.Microseconds()))
	began := time.Now()
	if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false); err == nil {
		t.Fatal("alice was let in")
	}
	if took := time.Since(began); took > asked/3 {
		t.Errorf("the refusal took %v: PAM has slept", took)
	}
}
