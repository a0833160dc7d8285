package login

import (
	"strings"
	"testing"
)

func TestAStackThatDoesNotAskIsNoProofOfAPassword(t *testing.T) {
	for _, must := range []bool{false, true} {
		l := start(t, permit)
		l.MustAsk = must
		err := l.Authenticate("192.0.2.7", "alice", []byte("secret"), false)
		if refused := err != nil; refused != must || must && !strings.Contains(err.Error(), "asked for the password") {
			t.Errorf("MustAsk %v: %v", must, err)
		}
	}
}

func TestWhoIsTrustedIsAskedForNoPassword(t *testing.T) {
	l := start(t, "auth required pam_succeed_if.so quiet ruser = bob\nauth required pam_succeed_if.so quiet rhost = 192.0.2.7\nauth required pam_permit.so\n")
	if err := l.Trust("192.0.2.7", "bob", "root"); err != nil {
		t.Errorf("%v", err)
	}
	for _, stack := range []string{
		"auth required pam_succeed_if.so quiet ruser = eve\n",
		"auth required pam_unix.so nodelay\n", // asks
		"auth required pam_deny.so\n",
	} {
		if err := start(t, stack).Trust("192.0.2.7", "bob", "root"); err == nil {
			t.Errorf("%q lets bob in", stack)
		}
	}
}
