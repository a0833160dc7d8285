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
		{&login.Error{Call: "acct_mgmt", Status: pam.ErrPermDenied}, "otherwise"},
		{errors.New("open /var/run/nologin: permission denied"), "otherwise"},
		{syscall.EACCES, "otherwise"},
	} {
		if got := publicReason(tt.err, "otherwise"); got != tt.want {
			t.Errorf("publicReason(%v) = %q; want %q", tt.err, got, tt.want)
		}
	}
}

func TestNamesThatNoAccountCanHave(t *testing.T) {
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"alice", true}, {"a", true}, {"Alice.B", true}, {"alice@example.org", true}, {"host$", true}, {"a-b", true}, {"7", true}, {"caf\u00e9", true}, {"a b", true},
		{`DOM\user`, true}, {"..", true},
		{"", false}, {"-", false}, {"-froot", false}, {"a/b", false}, {"../x", false}, {"a:b", false}, {"a\nb", false}, {"a\x7f", false}, {"\x1b", false}, {"a\t", false},
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
		r := begin(t, &Server{PermitRoot: tt.permitRoot}, stack)
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
		if barred := password != tt.password; barred != tt.barred || password == "" || tt.password != "" && len(password) != len(tt.password) {
			t.Errorf("%q: PAM was given the password %q for %q; want another one of its length: %v", tt.user, password, tt.password, tt.barred)
		}
	}
}

func TestKindOfRecordIsThatOfTheDecision(t *testing.T) {
	over := &graceOver{time.Second, "pam_authenticate"}
	for _, tt := range []struct {
		name    string
		said    *refusal
		proven  bool
		kind    audit.Kind
		offence penalty.Kind
		counted bool
	}{
		{"a wrong password", &refusal{public: loginIncorrect, reason: errors.New("x")}, false, audit.Failed, penalty.AuthFail, true},
		{"a fault of this host's", &refusal{public: tryAgain, reason: errors.New("x")}, false, audit.InternalError, 0, false},
		{"a fault after the password", &refusal{public: tryAgain, reason: errors.New("x")}, true, audit.Refused, 0, false},
		{"an account that is closed", &refusal{public: loginIncorrect, reason: errors.New("x")}, true, audit.Refused, 0, false},
		{"a bad port", &refusal{public: "x", reason: errors.New("x"), protocol: true}, false, audit.ProtocolError, penalty.Protocol, true},
		{"a port scan", &refusal{reason: errors.New("x"), protocol: true}, false, audit.ProtocolError, penalty.NoAuth, true},
		{"a port that cannot be reached", &refusal{public: "x", reason: errors.New("x"), protocol: true, noStderr: true}, false, audit.ProtocolError, penalty.NoAuth, true},
		{"the grace time", &refusal{reason: over, protocol: true}, false, audit.ProtocolError, penalty.GraceExceeded, true},
		{"a source that waits", &refusal{public: tryAgain, reason: waiting{}}, false, audit.Penalised, 0, false},
		{"a right guess among many", &refusal{public: loginIncorrect, reason: waiting{}}, false, audit.Failed, penalty.AuthFail, true},
	} {
		r := &request{proven: tt.proven}
		if got := r.kindOf(tt.said); got != tt.kind {
			t.Errorf("%s: kind %d; want %d", tt.name, got, tt.kind)
		}
		if kind, counted := r.offence(tt.said); kind != tt.offence || counted != tt.counted {
			t.Errorf("%s: offence %v, %v; want %v, %v", tt.name, kind, counted, tt.offence, tt.counted)
		}
	}
}

func TestCauseIsTheSystemsOwnError(t *testing.T) {
	if got := cause(fmt.Errorf("dial: %w", os.NewSyscallError("connect", syscall.ECONNREFUSED))); got != syscall.ECONNREFUSED {
		t.Errorf("cause = %v", got)
	}
	if plain := errors.New("x"); cause(plain) != plain {
		t.Errorf("cause(%v) = %v", plain, cause(plain))
	}
}

func TestGraceIsOneTimeOverAllCalls(t *testing.T) {
	exited := make(chan int, 1)
	s := &Server{Grace: 50 * time.Millisecond, Log: &audit.Log{Console: new(strings.Builder)}, Exit: func(status int) { exited <- status; select {} }}
	g := &grace{r: &request{Server: s}, deadline: time.Now().Add(time.Hour)}
	wrong := errors.New("x")
	if err := g.during("one", func() error { return nil }); err != nil {
		t.Errorf("during = %v", err)
	}
	if err := g.during("two", func() error { return wrong }); err != wrong {
		t.Errorf("during = %v; want the call's own error", err)
	}
	g.stop()
	late := &grace{r: &request{Server: s}, deadline: time.Now().Add(-time.Second)}
	err := late.during("three", func() error { t.Error("a call began after the grace time"); return nil })
	var over *graceOver
	if !errors.As(err, &over) || !errors.Is(err, os.ErrDeadlineExceeded) || err.Error() != "grace time of 50ms over in three" {
		t.Errorf("during = %v", err)
	}
	select {
	case status := <-exited:
		t.Errorf("exit %d", status)
	default:
	}
}
