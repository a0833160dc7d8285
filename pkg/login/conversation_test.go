package login

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/msteinert/pam/v2"
)

func TestThePasswordIsAnsweredOnceAndByteForByte(t *testing.T) {
	for _, tt := range []struct {
		options, password string
		ok                bool
	}{
		{"prompts=1 want=secret", "secret", true},
		{"prompts=1 want=secret", "Secret", false},
		{"prompts=1 want=\xff\x01\xfe", "\xff\x01\xfe", true},
		{"prompts=1 want=", "", true},
		{"prompts=1 want=" + strings.Repeat("p", 511), strings.Repeat("p", 511), true},
		{"prompts=2 want=secret", "secret", false},
		{"talk want=secret", "secret", true},
		{"talk want=other", "secret", false},
		{"binary", "secret", false},
		{"prompts=0", "secret", true},
	} {
		t.Run(fmt.Sprintf("%.40q", tt.options), func(t *testing.T) {
			l := start(t, "auth required %s "+tt.options+"\naccount required pam_permit.so\n")
			password := []byte(tt.password)
			err := l.Authenticate("192.0.2.7", "alice", password, false)
			if (err == nil) != tt.ok {
				t.Errorf("Authenticate = %v; want ok %v", err, tt.ok)
			}
			if l.password != nil {
				t.Errorf("the login still holds the password")
			}
			if string(password) != tt.password {
				t.Errorf("the caller's password was changed")
			}
			if err != nil && tt.password != "" && strings.Contains(err.Error(), tt.password) {
				t.Errorf("the password is in the error %q", err)
			}
		})
	}
}

func TestNilPasswordIsAnEmptyOne(t *testing.T) {
	l := start(t, "auth required %s prompts=1 want=\n")
	if err := l.Authenticate("192.0.2.7", "alice", nil, true); err != nil {
		t.Errorf("Authenticate = %v", err)
	}
}

func TestAQuestionAfterAuthenticationGetsNoAnswer(t *testing.T) {
	l := start(t, permit)
	if err := l.Authenticate("192.0.2.7", "alice", []byte("secret"), false); err != nil {
		t.Fatal(err)
	}
	if answer, err := l.RespondPAM(pam.PromptEchoOff, "Password: "); err == nil || answer != "" {
		t.Errorf("RespondPAM = %q, %v; want no answer", answer, err)
	}
	if answer, err := l.RespondPAM(pam.PromptEchoOn, "login: "); err != nil || answer != "alice" {
		t.Errorf("RespondPAM = %q, %v; want the user's name", answer, err)
	}
	if answer, err := l.RespondPAM(pam.BinaryPrompt, ""); err == nil || answer != "" {
		t.Errorf("RespondPAM = %q, %v; want no answer", answer, err)
	}
}

func TestWhatModulesSayIsKeptForTheFailingCallAndBounded(t *testing.T) {
	l := start(t, "auth required pam_permit.so\naccount required %s say=100 fail=acct\n")
	if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false); err != nil {
		t.Fatal(err)
	}
	err := l.Account(false)
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Message, "line 100 000") || len(e.Message) > maxMessage {
		t.Errorf("Account = %.60q…; want the first of the lines, cut", err)
	}
	if len(l.messages) > maxMessages {
		t.Errorf("%d messages are kept; want at most %d", len(l.messages), maxMessages)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("(%q)", e.Message)) {
		t.Errorf("the text %.60q does not quote the message", err)
	}
}

func TestWhatWasSaidBeforeIsNotTheReason(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("welcome"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := start(t, "auth optional pam_echo.so file="+file+"\nauth required pam_permit.so\naccount required pam_deny.so\n")
	if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := l.Account(false); !errors.As(err, &e) || e.Message != "" {
		t.Errorf("Account = %v; want no message: pam_echo spoke in the call before", err)
	}
}

func TestMessageOfPamEchoIsGivenToTheUser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("\n \x1b[2J\r\nClosed for %u until noon\x07.\nsecond line\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := start(t, "auth required pam_permit.so\naccount optional pam_echo.so file="+file+"\naccount required pam_deny.so\n")
	if err := l.Authenticate("192.0.2.7", "alice", []byte("x"), false); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := l.Account(false); !errors.As(err, &e) || e.Message != "[2J" {
		t.Errorf("Account = %v; want the first line that is not empty, without control characters", err)
	}
}

func TestFirstLineHasNoControlCharacters(t *testing.T) {
	for _, tt := range []struct {
		messages []string
		want     string
	}{
		{nil, ""},
		{[]string{"", " ", "\n\n"}, ""},
		{[]string{"", "one\ntwo", "three"}, "one"},
		{[]string{"\r\n\tone\r\n"}, "one"},
		{[]string{"a\x00b\x1bc\x7fd\u0085e\u009bf"}, "abcdef"},
		{[]string{"caf\u00e9"}, "caf\u00e9"},
	} {
		if got := firstLine(tt.messages); got != tt.want {
			t.Errorf("firstLine(%q) = %q; want %q", tt.messages, got, tt.want)
		}
	}
}

func TestInvalidTextOfAModuleBecomesValid(t *testing.T) {
	l := &Login{}
	for _, msg := range []string{"\xff\xfe", strings.Repeat("x", maxMessage-1) + "\u00e9"} {
		l.messages = nil
		if answer, err := l.RespondPAM(pam.TextInfo, msg); answer != "" || err != nil {
			t.Errorf("RespondPAM = %q, %v", answer, err)
		}
		if got := l.messages[0]; got != strings.ToValidUTF8(got, "?") || len(got) > maxMessage {
			t.Errorf("kept %q", got)
		}
	}
}

func FuzzConversation(f *testing.F) {
	f.Add(1, "Password: ", "secret")
	f.Add(2, "login: ", "")
	f.Add(3, "\xff\n\x1b[0m", "x")
	f.Add(7, "", "x")
	f.Fuzz(func(t *testing.T, style int, msg, password string) {
		l := &Login{user: "alice", password: []byte(password)}
		for range 2 * maxMessages {
			answer, err := l.RespondPAM(pam.Style(style), msg)
			if answer != "" && answer != "alice" && answer != password || err != nil && answer != "" {
				t.Fatalf("RespondPAM(%d, %q) = %q, %v", style, msg, answer, err)
			}
		}
		kept := 0
		for _, m := range l.messages {
			kept += len(m)
		}
		if kept > 2*maxMessages*maxMessage {
			t.Errorf("%d bytes of messages are kept", kept)
		}
		control := func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
		if line := firstLine(l.messages); strings.ContainsFunc(line, control) {
			t.Errorf("firstLine(%q) = %q", l.messages, line)
		}
	})
}
