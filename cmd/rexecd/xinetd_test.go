package main

import (
	"os"
	"strings"
	"testing"
)

func TestAnotherServersXinetdEntryIsLeftAlone(t *testing.T) {
	for _, theirs := range []string{
		"service exec\n{\n\tserver = /opt/rexecd\n}\n",
		"service exec\n{\n\tflags = NAMEINARGS\n\tserver = /usr/sbin/tcpd\n\tserver_args = /opt/rexecd\n}\n",
	} {
		if _, err := addXinetd(theirs, "/usr/sbin/in.rexecd"); err == nil {
			t.Error("addXinetd switched another server's entry on")
		}
		if got := removeXinetd(theirs); got != theirs {
			t.Errorf("removeXinetd = %q", got)
		}
	}
}

func TestAnXinetdEntryIsReadWithItsArguments(t *testing.T) {
	for _, c := range []struct{ attributes, program, server, args string }{
		{"server = /usr/sbin/in.rexecd", "/usr/sbin/in.rexecd", "/usr/sbin/in.rexecd", ""},
		{"server = /usr/sbin/in.rexecd\r\n server_args = -m -n\r", "/usr/sbin/in.rexecd", "/usr/sbin/in.rexecd", "-m -n"},
		{"flags = IPv6 NAMEINARGS\n server = /usr/sbin/in.rexecd\n server_args = in.rexecd -m", "/usr/sbin/in.rexecd", "/usr/sbin/in.rexecd", "-m"},
		{"flags = NAMEINARGS\n server = /usr/sbin/tcpd\n server_args = /usr/sbin/in.rexecd -m", "/usr/sbin/tcpd", "/usr/sbin/in.rexecd", "-m"},
	} {
		e := parseXinetd("service exec\n{\n " + c.attributes + "\n}\n")
		if e.program != c.program || e.server != c.server || strings.Join(e.args, " ") != c.args || !e.named {
			t.Errorf("%q: %+v; want %+v", c.attributes, e, c)
		}
	}
}

func TestTheXinetdEntryIsSwitchedAndKept(t *testing.T) {
	shipped, err := os.ReadFile("../../packaging/xinetd")
	if err != nil {
		t.Fatal(err)
	}
	on, err := addXinetd(string(shipped), "/usr/sbin/in.rexecd")
	if err != nil || strings.Count(on, "disable\t\t= no\n") != 1 || strings.Contains(on, "= yes") {
		t.Fatalf("addXinetd = %q, %v; want it switched on", on, err)
	}
	if off := removeXinetd(on); off != string(shipped) {
		t.Errorf("removeXinetd = %q; want what was shipped", off)
	}
	if got := setDisable("service exec\n{\n\tserver = x\n}\n", "yes"); got != "service exec\n{\n\tdisable\t\t= yes\n\tserver = x\n}\n" {
		t.Errorf("an entry without the attribute became %q", got)
	}
	fresh, err := addXinetd("", "/opt/in.rexecd")
	if err != nil || !strings.Contains(fresh, "= /opt/in.rexecd\n") {
		t.Errorf("addXinetd with no entry = %q, %v", fresh, err)
	}
}

func TestOnlyOurXinetdEntryIsSwitched(t *testing.T) {
	const server = "\tserver = /usr/sbin/in.rexecd\n}\n"
	for _, head := range []string{"service exec\n{\n", "service exec\r\n{\r\n", "service exec\n{ \n", "service exec {\n", "service\texec\n{\n"} {
		off := removeXinetd(head + server)
		if !strings.Contains(off, "disable\t\t= yes\n") {
			t.Errorf("%q stays on: %q", head+server, off)
		}
		if xinetdEnabled(off) || !xinetdEnabled(head+server) {
			t.Errorf("%q: enabled %v; off: %v", head, xinetdEnabled(head+server), xinetdEnabled(off))
		}
	}
	for _, theirs := range []string{"service exec\n{\n\tdisable = no\n\tserver = /usr/libexec/rexecd\n}\n", "# nothing\n"} {
		if got := removeXinetd(theirs); got != theirs {
			t.Errorf("%q became %q", theirs, got)
		}
	}
	const login = "service login\n{\n\tdisable = no\n\tserver = /usr/sbin/in.rlogind\n}\n"
	both := login + "service exec\n{\n\tdisable = no\n" + server
	for _, conf := range []string{both, both + login} {
		off := removeXinetd(conf)
		if want := strings.Replace(conf, "exec\n{\n\tdisable = no", "exec\n{\n\tdisable = yes", 1); off != want {
			t.Errorf("beside another service: %q; want %q", off, want)
		}
		if on, err := addXinetd(off, "/x"); on != conf || err != nil {
			t.Errorf("switched on again: %q, %v; want %q", on, err, conf)
		}
	}
	got, err := addXinetd("# only a comment", "/x/in.rexecd")
	if err != nil || !strings.HasPrefix(got, "# only a comment\nservice exec\n{\n\tdisable\t\t= no\n") {
		t.Errorf("addXinetd to a comment = %q, %v", got, err)
	}
}

func TestAnAdministratorsXinetdEntryIsFoundAgain(t *testing.T) {
	for _, own := range []string{
		"service exec\n{\n\tserver = /usr/sbin/in.rexecd\n\tonly_from = 192.0.2.0/24\n}\n",
		"service exec\n{\n\tserver = /usr/sbin/in.rexecd\n\tdisable = no\n}\nservice login\n{\n\tserver = /x\n}\n",
	} {
		off := removeOwnXinetd(own)
		if xinetdEnabled(off) || !markedXinetd(off) || markedXinetd(own) {
			t.Errorf("%q became %q: enabled %v, marked %v; before, marked %v", own, off, xinetdEnabled(off), markedXinetd(off), markedXinetd(own))
		}
		if again := removeOwnXinetd(off); again != off {
			t.Errorf("switched off twice: %q", again)
		}
		on, err := addXinetd(off, "/x")
		if want := setDisable(own, "no"); on != want || err != nil {
			t.Errorf("switched on again: %q, %v; want %q", on, err, want)
		}
	}
	// What somebody else switched off stays off.
	if markedXinetd("service exec\n{\n\tdisable = yes\n\tserver = /usr/sbin/in.rexecd\n}\n") {
		t.Error("an entry that -remove has not touched counts as marked")
	}
}
