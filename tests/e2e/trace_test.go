package e2e

import (
	"regexp"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// steps are the traced ones, without their times.
func steps(log *lab.Log) (list []string) {
	for _, r := range log.Records() {
		if r["REXEC_OUTCOME"] == "trace" {
			list = append(list, regexp.MustCompile(`^Trace from \S+ port \d+(: account \S+)?: \d+\.\d{3}s: `).ReplaceAllString(r["MESSAGE"], ""))
		}
	}
	return list
}

func TestEachStepOfATracedClientIsLogged(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for name, s := range counting(t, "refusal_delay = 1\ntrace = ['192.0.2.0/24', '127.0.0.1']\n") {
		out(t, s.addr, request(u, "exit 3"))
		lab.Eventually(t, "the last step", func() bool { return strings.Contains(s.log.Raw(), "the connections are released") })
		want := `connection to 127\.0\.0\.1:\d+
stderr port 0
ready for the request
request of 6 bytes for user "` + u.Name + `"
PAM has authenticated "` + u.Name + `"
the account "` + u.Name + `", user ID \d+, may come in
no rules: allowed: true
PAM has opened the session
the command runs
the connections are released`
		wantMatch(t, name, strings.Join(steps(s.log), "\n"), want)
		n := len(steps(s.log))
		wantAll(t, s.addr, lab.Request{User: "no\nbody", Password: "Secret of x", Command: "id"}, loginIncorrect)
		lab.Eventually(t, "the answer", func() bool { return len(steps(s.log)) == n+5 })
		wantMatch(t, name, strings.Join(steps(s.log)[n:], "\n"), `connection to .*\nstderr port 0\nready for the request\nrequest of 2 bytes for user "no\\nbody"\nanswer "Login incorrect\."`)
		if strings.Contains(s.log.Raw(), "Secret of") {
			t.Error("a password is in the log")
		}
	}
	other := serve(t, lab.Handler{Settings: "trace = ['192.0.2.0/24', '127.0.0.2']\n"})
	out(t, other.Addr, request(u, "true"))
	other.Process(t, 0).Wait(t)
	other.Log.Wait(t, "Session closed")
	if list := steps(other.Log); list != nil {
		t.Errorf("a client that is not traced: %q", list)
	}
}
