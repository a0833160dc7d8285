package audit

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestEveryRecordIsBounded(t *testing.T) {
	got := journald(t)
	long := strings.Repeat("\n", 1<<20)
	for kind := range kinds {
		e := Event{Kind: Kind(kind), User: long, Account: long, Peer: peer6, Reason: errors.New(long), Command: long}
		(&Log{system: got.system}).Write(e)
		record := got.next(t)
		fields := parse(t, record)
		if len(fields["REXEC_USER"]) > 256 || len(fields["REXEC_ACCOUNT"]) > 256 || len(fields["REXEC_REASON"]) > maxReason+3 {
			t.Errorf("kind %d: user %d, account %d, reason %d bytes", kind, len(fields["REXEC_USER"]), len(fields["REXEC_ACCOUNT"]), len(fields["REXEC_REASON"]))
		}
		if len(fields["MESSAGE"]) > 16<<10 || len(record) > 200<<10 {
			t.Errorf("kind %d: the message has %d bytes, the record %d", kind, len(fields["MESSAGE"]), len(record))
		}
		var console bytes.Buffer
		if (&Log{Console: &console}).Write(e); console.Len() > 16<<10 {
			t.Errorf("kind %d: the console gets %d bytes", kind, console.Len())
		}
	}
}

// Before that, anybody could fill the disk: 128 KB for each try.
func TestTheCommandIsLoggedOnlyOnceTheUserIsProven(t *testing.T) {
	got := journald(t)
	for kind := range kinds {
		(&Log{system: got.system}).Write(Event{Kind: Kind(kind), User: "alice", Peer: peer4, Reason: errWhy, Command: "id"})
		_, logged := parse(t, got.next(t))["REXEC_COMMAND"]
		authenticated := Kind(kind) == Accepted || Kind(kind) == Refused || Kind(kind) == Closed
		if logged != authenticated {
			t.Errorf("kind %d: command logged = %v; want %v", kind, logged, authenticated)
		}
	}
}

// fail2ban's own expression, from the file that is installed: whatever the name and
// the account are, it finds the address of the peer and no other.
func TestTheFail2banFilterFindsThePeerInEveryFailure(t *testing.T) {
	text, err := os.ReadFile("../../packaging/fail2ban/filter.conf")
	if err != nil {
		t.Fatal(err)
	}
	setting := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + ` = (.*)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("the filter has no %s", name)
		}
		return string(m[1])
	}
	expr := strings.ReplaceAll(setting("failregex"), "%(_from)s", setting("_from"))
	expr = strings.NewReplacer("%(__prefix_line)s", "", "%(_user)s", setting("_user"), "<ADDR>", `([0-9a-f.:]+)`).Replace(expr)
	failed := regexp.MustCompile(expr)
	for _, user := range append(hostile, "ALICE") {
		for _, account := range append(hostile, "alice") {
			rsh := Event{Peer: peer4, Client: account, Trusted: true}
			for _, e := range []Event{{Peer: peer4}, {Peer: peer6, Invalid: true}, rsh} {
				e.Kind, e.User, e.Account, e.Reason = Failed, user, account, errors.New(account)
				if m := failed.FindStringSubmatch(e.Message()); m == nil || m[1] != e.Peer.Addr().String() {
					t.Errorf("the filter finds %q in %q", m, e.Message())
				}
				for _, kind := range []Kind{Accepted, Refused, Closed, Penalised} {
					if e.Kind = kind; failed.MatchString(e.Message()) {
						t.Errorf("the filter counts %q", e.Message())
					}
				}
			}
		}
	}
}
