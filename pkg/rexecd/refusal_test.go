package rexecd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/msteinert/pam/v2"

	"rexecd/pkg/audit"
	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
	"rexecd/pkg/rexec/wire"
)

func TestPublicReasonIsForThoseWhoProvedTheirPassword(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&login.Error{Call: "acct_mgmt", Status: pam.ErrNewAuthtokReqd}, "Password expired."},
		{&login.Error{Call: "acct_mgmt", Status: pam.ErrAuthtokExpired, Message: "change it"}, "Password expired."},
		{&login.Error{Call: "acct_mgmt", Status: pam.ErrAcctExpired, Message: "gone"}, "Account expired."},
		{&login.Error{Call: "acct_mgmt", Status: pam.ErrAuth, Message: "System goes down."}, "System goes down."},
		{fmt.Errorf("wrapped: %w", &login.Error{Call: "acct_mgmt", Status: pam.ErrAuth, Message: "line"}), "line"},
		{&login.Error{Call: "acct_mgmt", Status: pam.ErrPermDenied}, "Login incorrect."},
		{errors.New("open /var/run/nologin: permission denied"), "Login incorrect."},
		{syscall.EACCES, "Login incorrect."},
	} {
		if got := asRefusal(accountRefusal(tt.err)).public; got != tt.want {
			t.Errorf("account refused by %v: %q; want %q", tt.err, got, tt.want)
		}
		if tt.want == "Login incorrect." {
			tt.want = "Try again."
		}
		if got := asRefusal(sessionRefusal(tt.err)).public; got != tt.want {
			t.Errorf("session refused by %v: %q; want %q", tt.err, got, tt.want)
		}
	}
}

func TestNamesThatNoAccountCanHave(t *testing.T) {
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"alice", true}, {"a", true}, {"Alice.B", true}, {"alice@example.org", true}, {"host$", true}, {"a-b", true}, {"7", true}, {"caf\u00e9", true}, {"a b", true},
		{`DOM\user`, true}, {"...", true}, {".a", true},
		{"", false}, {".", false}, {"..", false}, {"-", false}, {"-froot", false}, {"a/b", false},
		{"../x", false}, {"a:b", false}, {"a\nb", false}, {"a\x7f", false}, {"\x1b", false}, {"a\t", false},
	} {
		if got := validName(tt.name); got != tt.want {
			t.Errorf("validName(%q) = %v; want %v", tt.name, got, tt.want)
		}
	}
}

func TestScrambledPasswordHasItsLengthAndNothingElseOfIt(t *testing.T) {
	for _, password := range []string{"", "s", "secret", strings.Repeat("secret", 80), strings.Repeat("\xff", wire.MaxPassword)} {
		seen := map[string]bool{}
		for range 20 {
			buf := append(make([]byte, 0, wire.MaxPassword+1), password...)
			req := &wire.Request{Password: buf}
			scramble(req)
			if want := len(password); len(req.Password) != want && (want != 0 || len(req.Password) == 0) {
				t.Fatalf("scramble(%d bytes) = %d bytes", want, len(req.Password))
			}
			if len(password) > 5 && string(req.Password) == password {
				t.Errorf("scramble left %q", password)
			}
			for _, b := range req.Password {
				if b < 'a' || b > 'z' {
					t.Fatalf("scramble made %q, which a module may read as something else", req.Password)
				}
			}
			if &req.Password[0] != &buf[:1][0] {
				t.Error("scramble left a copy of the password behind")
			}
			seen[string(req.Password)] = true
		}
		if len(password) > 5 && len(seen) < 20 {
			t.Errorf("scramble(%d bytes) makes the same password again", len(password))
		}
	}
}

// The stack runs for whom the server itself refuses, too, and takes its time: but
// not with the password.
func TestPasswordOfWhomTheServerRefusesNeverReachesPAM(t *testing.T) {
	dir := t.TempDir()
	file, script := filepath.Join(dir, "seen"), filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n{ echo \"$PAM_USER\"; cat; } >"+file+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	stack := "auth required pam_exec.so quiet expose_authtok " + script + "\nauth required pam_deny.so\n"
	for _, tt := range []struct {
		user, password, seenBy string
		permitRoot, barred     bool
	}{
		{me(t), "secret", me(t), true, false},
		{"nosuch", "secret", "nosuch", false, false},
		{"root", "secret", "root", false, true},
		{"a/../b", "secret", "rexec-invalid-user", false, true},
		{"-froot", "secret", "rexec-invalid-user", false, true},
		{me(t), "", me(t), true, true},
	} {
		r := begin(t, func(c *Config) { c.PermitRoot = tt.permitRoot }, stack)
		r.ask("", tt.user, tt.password, "id")
		if got := all(r); got != "\x01Login incorrect.\n" {
			t.Errorf("%q: the peer got %q", tt.user, got)
		}
		r.Close()
		r.status(t)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		user, password, _ := strings.Cut(string(text), "\n")
		password = strings.TrimRight(password, "\x00")
		if user != tt.seenBy {
			t.Errorf("%q: PAM was asked about %q; want %q", tt.user, user, tt.seenBy)
		}
		if barred := password != tt.password; barred != tt.barred || password == "" ||
			tt.password != "" && len(password) != len(tt.password) {
			t.Errorf("%q: PAM was given the password %q for %q; want another one of its length: %v", tt.user, password, tt.password, tt.barred)
		}
	}
}

// What a refusal is charged with follows what the peer is told, and whether the
// answer waits: else the penalty, or the time, would tell more than the text.
func TestWhatLooksAlikeCostsAndTakesTheSame(t *testing.T) {
	reason := errors.New("x")
	for _, tt := range []struct {
		name    string
		err     error
		kind    audit.Kind
		offence penalty.Kind
		delayed bool
	}{
		{"a wrong password", badLogin(reason), audit.Failed, penalty.AuthFail, true},
		{"an account that is closed", closedAccount(reason), audit.Refused, penalty.AuthFail, true},
		{"a fault of this host's", fault(reason), audit.InternalError, noOffence, false},
		{"a fault after the password", unavailable(reason), audit.Refused, noOffence, false},
		{"an error that nobody named", reason, audit.InternalError, noOffence, false},
		{"a bad port", badProtocol("x", reason), audit.ProtocolError, penalty.Protocol, false},
		{"a port scan", gone(reason), audit.ProtocolError, penalty.NoAuth, false},
		{"a port that cannot be reached", withoutStderr("x", reason), audit.ProtocolError, penalty.NoAuth, false},
		{"the grace time", &graceOver{time.Second, "x"}, audit.ProtocolError, penalty.GraceExceeded, false},
		{"the grace time, met at the password's check", badLogin(&graceOver{time.Second, "x"}), audit.ProtocolError, penalty.GraceExceeded, false},
		{"a source that waits", penalised(reason), audit.Penalised, noOffence, false},
		{"one session too many", TooManySessions(), audit.Penalised, noOffence, false},
		{"a mistake in the settings", Misconfigured(reason), audit.ConfigError, noOffence, false},
	} {
		r := asRefusal(tt.err)
		if r.kind != tt.kind || r.offence != tt.offence || r.delayed != tt.delayed {
			t.Errorf("%s: kind %d, offence %v, delayed %v; want %d, %v, %v", tt.name, r.kind, r.offence, r.delayed, tt.kind, tt.offence, tt.delayed)
		}
		if r.delayed != (r.public == diagnostics.loginIncorrect) {
			t.Errorf("%s: %q, delayed %v", tt.name, r.public, r.delayed)
		}
	}
}

// Neither moment may tell how long PAM took, as long as it took less than a step.
func TestChargeAndAnswerDoNotFollowPAMsTime(t *testing.T) {
	asked := time.Now()
	const ms = time.Millisecond
	for _, tt := range []struct{ took, delay, charge, answer time.Duration }{
		{0, 2 * time.Second, 500 * ms, 2000 * ms},
		{499 * ms, 2 * time.Second, 500 * ms, 2000 * ms},
		{501 * ms, 2 * time.Second, 1000 * ms, 2000 * ms},
		{1001 * ms, 2 * time.Second, 1500 * ms, 2000 * ms},
		{2100 * ms, 2 * time.Second, 2500 * ms, 2500 * ms},
		{10 * ms, 500 * ms, 500 * ms, 500 * ms},
		{501 * ms, 500 * ms, 1000 * ms, 1000 * ms},
		{0, 0, ms, ms},
	} {
		charge, answer := schedule(asked, asked.Add(tt.took), tt.delay)
		if got := charge.Sub(asked); got != tt.charge {
			t.Errorf("PAM took %v, delay %v: charged after %v; want %v", tt.took, tt.delay, got, tt.charge)
		}
		if got := answer.Sub(asked); got < tt.answer || got > tt.answer+tt.delay/4 {
			t.Errorf("PAM took %v, delay %v: answered after %v; want %v and up to a quarter of the delay", tt.took, tt.delay, got, tt.answer)
		}
	}
}

// reword changes every public text.
func reword(d *texts) {
	*d = texts{"a", "b", "c", "d", "e", "f", "g %d", "h", "i %d %s", "j", "k", "l", "m", "n", "o"}
}

// A diagnostic may be reworded: what follows from a refusal hangs on nothing that
// a peer reads.
func TestRewordedDiagnosticsChangeNothingElse(t *testing.T) {
	needRoot(t)
	deny := "auth required pam_deny.so\naccount required pam_permit.so\n"
	closed := "auth required pam_permit.so\naccount required pam_deny.so\n"
	for _, tt := range []struct{ name, stack, sent string }{
		{"a wrong password", deny, "\x00" + me(t) + "\x00p\x00id\x00"},
		{"a closed account", closed, "\x00" + me(t) + "\x00p\x00id\x00"},
		{"an unknown user", permit, "\x00nosuch\x00p\x00id\x00"},
		{"a low port", permit, "25\x00"},
		{"a request cut short", permit, "\x00u\x00"},
		{"no home directory", permit, "\x00" + "nobody" + "\x00p\x00id\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var results, answers [2]string
			for i, texts := range []string{"", "reworded"} {
				t.Setenv("REXECD_TEST_TEXTS", texts)
				dir := t.TempDir()
				r := begin(t, func(c *Config) {
					c.PermitRoot, c.RefusalDelay = true, 600*time.Millisecond
					c.Penalties = DefaultConfig().Penalties
					c.Penalties.Dir, c.Penalties.Bits4 = dir, 32
				}, tt.stack)
				asked := time.Now()
				r.Write([]byte(tt.sent))
				r.CloseWrite()
				answer := all(r)
				delayed := time.Since(asked) > 550*time.Millisecond
				r.status(t)
				owed, err := (&penalty.Table{Dir: dir, Max: time.Hour}).List()
				if err != nil {
					t.Fatal(err)
				}
				answers[i] = answer
				results[i] = fmt.Sprintf("delayed %v, log %.25q, offences %d", delayed, r.lines(t), len(owed))
				for _, p := range owed {
					results[i] += " " + p.Last.String()
				}
			}
			if answers[0] == answers[1] && answers[0] != "" {
				t.Errorf("not reworded: %q", answers[0])
			}
			if results[0] != results[1] {
				t.Errorf("reworded: %s\nbefore: %s", results[1], results[0])
			}
		})
	}
}

func TestCauseIsTheSystemsOwnError(t *testing.T) {
	if got := cause(fmt.Errorf("dial: %w", os.NewSyscallError("connect", syscall.ECONNREFUSED))); got != "Connection refused" {
		t.Errorf("cause = %v", got)
	}
	if plain := errors.New("x"); cause(plain) != "x" {
		t.Errorf("cause(%v) = %v", plain, cause(plain))
	}
}

func TestGraceIsOneTimeOverAllCalls(t *testing.T) {
	d := &deadline{limit: 50 * time.Millisecond, at: time.Now().Add(time.Hour)}
	wrong := errors.New("x")
	if err := d.during("one", func() error { return nil }); err != nil {
		t.Errorf("during = %v", err)
	}
	if err := d.during("two", func() error { return wrong }); err != wrong {
		t.Errorf("during = %v; want the call's own error", err)
	}
	d.stop()
	late := &deadline{limit: 50 * time.Millisecond, at: time.Now().Add(-time.Second)}
	err := late.during("three", func() error { t.Error("a call began after the grace time"); return nil })
	var over *graceOver
	if !errors.As(err, &over) || !errors.Is(err, os.ErrDeadlineExceeded) || err.Error() != "grace time of 50ms over in three" {
		t.Errorf("during = %v", err)
	}
}
