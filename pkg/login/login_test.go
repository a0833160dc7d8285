package login

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/msteinert/pam/v2"
)

// stack is a PAM configuration of its own for the test; %s in it is the module
// of testdata/module.c.
func stack(t *testing.T, text string) Config {
	t.Helper()
	dir := t.TempDir()
	if strings.Contains(text, "%s") {
		text = strings.ReplaceAll(text, "%s", module(t))
	}
	if err := os.WriteFile(filepath.Join(dir, "rexec"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	// libpam reads this one as well, for what the service leaves out.
	if err := os.WriteFile(filepath.Join(dir, "other"), []byte("auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return Config{Service: "rexec", ConfDir: dir}
}

var built = struct {
	dir, err string
}{}

// TestMain builds the module once.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rexecd-login-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out, err := exec.Command("cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-o", filepath.Join(dir, "module.so"), "testdata/module.c", "-lpam").CombinedOutput()
	built.dir = dir
	if err != nil {
		built.err = fmt.Sprintf("cc: %v\n%s", err, out)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

func module(t *testing.T) string {
	t.Helper()
	if built.err != "" {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "module.so")
}

// start starts a transaction and ends it with the test, on one thread.
func start(t *testing.T, text string) *Login {
	t.Helper()
	runtime.LockOSThread()
	l, err := Start(stack(t, text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		runtime.UnlockOSThread()
	})
	return l
}

const permit = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"

// all runs the transaction from its start to its end and returns the first
// error and the call it came from.
func all(l *Login, user, password string) error {
	if err := l.Authenticate("192.0.2.7", user, []byte(password), false); err != nil {
		return err
	}
	if err := l.Account(false); err != nil {
		return err
	}
	if err := l.Open(); err != nil {
		return err
	}
	return l.Close()
}

func TestPermittedUserGoesThroughEveryCall(t *testing.T) {
	if err := all(start(t, permit), "alice", "secret"); err != nil {
		t.Error(err)
	}
}

func TestFailureNamesItsCallAndItsStatus(t *testing.T) {
	for _, tt := range []struct {
		options          string // of pam_debug, which answers as it is told
		call             string
		status           pam.Error
		expired, account bool
	}{
		{"auth=auth_err", "authenticate", pam.ErrAuth, false, false},
		{"auth=user_unknown", "authenticate", pam.ErrUserUnknown, false, false},
		{"auth=maxtries", "authenticate", pam.ErrMaxtries, false, false},
		{"auth=authinfo_unavail", "authenticate", pam.ErrAuthinfoUnavail, false, false},
		{"auth=abort", "authenticate", pam.ErrAbort, false, false},
		{"acct=perm_denied", "acct_mgmt", pam.ErrPermDenied, false, false},
		{"acct=acct_expired", "acct_mgmt", pam.ErrAcctExpired, false, true},
		{"acct=new_authtok_reqd", "acct_mgmt", pam.ErrNewAuthtokReqd, true, false},
		{"acct=authtok_expired", "acct_mgmt", pam.ErrAuthtokExpired, true, false},
		{"cred=cred_err", "setcred", pam.ErrCred, false, false},
		{"cred=cred_expired", "setcred", pam.ErrCredExpired, false, false},
		{"open_session=session_err", "open_session", pam.ErrSession, false, false},
		{"close_session=session_err", "close_session", pam.ErrSession, false, false},
	} {
		t.Run(tt.options, func(t *testing.T) {
			l := start(t, "auth required pam_debug.so "+tt.options+"\naccount required pam_debug.so "+tt.options+"\nsession required pam_debug.so "+tt.options+"\n")
			err := all(l, "alice", "secret")
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v; want an Error", err)
			}
			if e.Call != tt.call || !errors.Is(err, tt.status) || e.PasswordExpired() != tt.expired ||
				e.AccountExpired() != tt.account {
				t.Errorf("Call %q, status %v, password expired %v, account expired %v; want %q, %v, %v, %v",
					e.Call, e.Status, e.PasswordExpired(), e.AccountExpired(), tt.call, tt.status, tt.expired,
					tt.account)
			}
			if !strings.HasPrefix(err.Error(), "pam_"+tt.call+": ") {
				t.Errorf("text %q", err)
			}
		})
	}
}

func TestDenyAndMissingServiceRefuse(t *testing.T) {
	for _, text := range []string{
		"auth required pam_deny.so\naccount required pam_permit.so\n",
		"account required pam_permit.so\n", // no auth lines: those of "other"
		"auth required pam_no_such_module.so\n",
	} {
		l := start(t, text)
		if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), true); err == nil {
			t.Errorf("%q let alice in", text)
		}
	}
}

func TestStartFailsWithoutAConfiguration(t *testing.T) {
	l, err := Start(Config{Service: "rexec", ConfDir: filepath.Join(t.TempDir(), "absent")})
	var e *Error
	if l != nil || !errors.As(err, &e) || e.Call != "start" {
		t.Errorf("Start = %v, %v; want an error of start", l, err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close of no login = %v", err)
	}
}

// record runs f on a stack whose module notes its calls, and returns them.
func record(t *testing.T, options string, f func(l *Login)) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "calls")
	l := start(t, strings.ReplaceAll("auth required %s O\naccount required %s O\nsession required %s O\n", "O", "record="+file+" "+options))
	f(l)
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestCallsComeInOrderWithTheirItemsAndEachIsUndoneOnce(t *testing.T) {
	const items = " alice 2001:db8::7 rexec rexec"
	for _, tt := range []struct {
		name, options string
		nullok        bool
		want          []string
	}{
		{"a whole session", "", false, []string{"auth 0x1", "acct 0x1", "setcred 0x2", "open 0", "setcred 0x8", "close 0", "setcred 0x4"}},
		{"empty passwords permitted", "", true, []string{"auth 0", "acct 0", "setcred 0x2", "open 0", "setcred 0x8", "close 0", "setcred 0x4"}},
		{"refused by auth", "fail=auth", false, []string{"auth 0x1"}},
		{"refused by account", "fail=acct", false, []string{"auth 0x1", "acct 0x1"}},
		{"no credentials", "fail=setcred", false, []string{"auth 0x1", "acct 0x1", "setcred 0x2", "setcred 0x4"}},
		{"no session, but others may be open", "fail=open", false, []string{"auth 0x1", "acct 0x1", "setcred 0x2", "open 0", "close 0", "setcred 0x4"}},
		{"a session that does not close", "fail=close", false, []string{"auth 0x1", "acct 0x1", "setcred 0x2", "open 0", "setcred 0x8", "close 0", "setcred 0x4"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := record(t, tt.options, func(l *Login) {
				if l.Authenticate("2001:db8::7", "alice", []byte("x"), tt.nullok) == nil && l.Account(tt.nullok) == nil {
					l.Open()
				}
				// libpam answers for the undoing what the module answered for the doing.
				if err := l.Close(); tt.options == "" && err != nil || tt.options == "fail=close" && err == nil {
					t.Errorf("Close = %v", err)
				}
				for range 2 {
					if err := l.Close(); err != nil {
						t.Errorf("Close again = %v", err)
					}
				}
			})
			for i, line := range got {
				got[i] = strings.TrimSuffix(line, items)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("calls:\n%s\nwant, each with %q:\n%s", strings.Join(got, "\n"), items, strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestScriptOfPamExecSeesTheSessionOpenAndClose(t *testing.T) {
	dir := t.TempDir()
	file, script := filepath.Join(dir, "calls"), filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY $PAM_SERVICE\" >>"+file+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	line := " required pam_exec.so quiet " + script + "\n"
	if err := all(start(t, "auth"+line+"account"+line+"session"+line+"auth required pam_permit.so\n"), "alice", "x"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	items := " alice 192.0.2.7 rexec rexec\n"
	if want := "auth" + items + "account" + items + "open_session" + items + "close_session" + items; string(got) != want || err != nil {
		t.Errorf("the script saw:\n%s%v\nwant:\n%s", got, err, want)
	}
}

func TestEnvironmentIsSortedAndHasNoHintOfOurOwn(t *testing.T) {
	l := start(t, "auth required pam_permit.so\naccount required pam_permit.so\nsession required %s env=ZED=1\nsession required %s env=EMPTY=\nsession required %s env=ALPHA=a=b\n")
	if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false); err != nil {
		t.Fatal(err)
	}
	if err := l.Open(); err != nil {
		t.Fatal(err)
	}
	got, err := l.Env()
	if want := []string{"ALPHA=a=b", "EMPTY=", "ZED=1"}; !slices.Equal(got, want) || err != nil {
		t.Errorf("Env() = %q, %v; want %q", got, err, want)
	}
}

func TestModulesSeeThatTheSessionIsForOneCommand(t *testing.T) {
	dir := t.TempDir()
	file, script := filepath.Join(dir, "class"), filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$XDG_SESSION_CLASS\" >>"+file+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	l := start(t, "auth required pam_permit.so\nsession required pam_exec.so quiet "+script+"\n")
	if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false); err != nil {
		t.Fatal(err)
	}
	if err := l.Open(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); string(got) != "background\n" || err != nil {
		t.Errorf("XDG_SESSION_CLASS in open_session = %q, %v; want background", got, err)
	}
}
