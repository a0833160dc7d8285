package attack

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

// 192.0.2.60 is the address of a proxy, with alice, bob and an attacker behind it.
func TestOneUserBehindAProxyCannotLockOutTheOthers(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	alice, bob := newUser(t, lab.User{}), newUser(t, lab.User{})
	const proxy = "192.0.2.60"
	s := serve(t, lab.Handler{Settings: harsh + "shared = [\"" + proxy + "\"]\n", Address: "192.0.2.1"})
	in := func(u lab.User, want string) {
		t.Helper()
		if got := ask(t, proxy, s.Addr, request(u, "echo in")); got != want {
			t.Errorf("%s: %q; want %q", u.Name, got, want)
		}
	}
	// What has no name yet is charged to nobody.
	for range 4 {
		from(t, proxy, s.Addr).Close()
		ask(t, proxy, s.Addr, lab.Request{User: strings.Repeat("x", 257), Password: "x"})
	}
	allGone(t, s)
	in(alice, "\x00in\n")
	in(bob, "\x00in\n")

	for i := range 2 {
		wrong := lab.Request{User: alice.Name, Password: "x"}
		if i == 1 {
			wrong.User = strings.ToUpper(alice.Name) // the same name to many directories
		}
		if got := ask(t, proxy, s.Addr, wrong); got != loginIncorrect {
			t.Errorf("a wrong password: %q", got)
		}
	}
	in(alice, tooManyFailed)
	in(bob, "\x00in\n")
	// Neither does the attacker get rid of the penalty by making up names.
	var guesses sync.WaitGroup
	for i := range 40 {
		guesses.Add(1)
		go func() {
			defer guesses.Done()
			ask(t, proxy, s.Addr, lab.Request{User: fmt.Sprint("nosuch", i), Password: "x"})
		}()
	}
	guesses.Wait()
	in(alice, tooManyFailed)
	if r := s.Log.Wait(t, "Refused connection from "+proxy+" port "); !strings.Contains(r["MESSAGE"], "penalty of "+proxy+"/32 user ") {
		t.Errorf("record %v", r)
	}
	penalties(t, "clear", proxy)
	in(alice, "\x00in\n")
}
