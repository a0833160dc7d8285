package rsh

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestARuleMayBeForRshAlone(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 someone\n")
	rules := trust + "[[rule]]\nname = 'files'\nservice = ['rsh']\ncommand = 'rcp .*'\nrun = 'echo $REXEC_ORIGINAL_COMMAND'\n" +
		"[[rule]]\nname = 'all'\nservice = ['rexec']\n"
	s := serve(t, rules, trustStack, lab.Handler{})
	for _, user := range []string{u.Name, both(u)} {
		by := func(command string) lab.Request {
			return lab.Request{User: "someone", Password: user, Command: command}
		}
		if got := ask(t, 630, s.Addr, by("rcp -f file")); got != "\x00rcp -f file\n" {
			t.Errorf("%q", got)
		}
		if got := ask(t, 631, s.Addr, by("id")); got != permissionDenied {
			t.Errorf("%q", got)
		}
	}
	if r := s.Log.Wait(t, "Accepted rhosts for "+u.Name); r["REXEC_RULE"] != "files" || r["REXEC_CLIENT_USER"] != "someone" {
		t.Errorf("the record is %v", r)
	}
	file := filepath.Join(lab.OpenDir(t), "rexecd.toml")
	if err := os.WriteFile(file, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		service, command, want string
		status                 int
	}{{"rsh", "rcp -f file", `(?s).*files.*`, 0}, {"rsh", "id", `(?s).*service is rsh, not in \["rexec"\].*`, 1}, {"", "id", "(?s).*", 0}} {
		args := []string{"-explain", "-config", file, e.service, u.Name, "127.0.0.1", e.command}
		if e.service == "" {
			args = slices.Delete(args, 3, 4)
		}
		r := run(t, "", lab.Rexecd(t), args...)
		if r.status != e.status || !regexp.MustCompile(e.want).MatchString(r.out) {
			t.Errorf("rexecd %q: %+v", args, r)
		}
	}
	rexec := lab.Serve(t, lab.Handler{Settings: rules})
	if a := lab.Ask(t, rexec.Addr, u.Request("echo rexec")); a.Out() != "rexec\n" {
		t.Errorf("rexec: %v", a)
	}
}

func TestAnExitProgramIsToldTheService(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "")
	program := filepath.Join(lab.OpenDir(t), "exit")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho echo $REXEC_SERVICE\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "exit = '"+program+"'\n", "", lab.Handler{})
	if got := ask(t, 0, s.Addr, request(u, "id")); got != "\x00rsh\n" {
		t.Errorf("%q", got)
	}
}

func TestGuestsAndLimitsAreRexecs(t *testing.T) {
	t.Parallel()
	slave := lab.NewUser(t, lab.User{Hash: "!"})
	u := newUser(t, lab.User{}, "")
	s := serve(t, "sessions_per_user = 1\n[guest]\naccounts = ['"+slave.Name+"']\nfrom = ['127.0.0.0/8']\n", "", lab.Handler{})
	for _, name := range []string{"guest", "guest/"} {
		got := ask(t, 0, s.Addr, lab.Request{User: "someone", Password: name, Command: "id -un"})
		if got != "\x00"+slave.Name+"\n" {
			t.Errorf("%q: %q", name, got)
		}
		s.Log.Wait(t, "Accepted none for guest from 127.0.0.1 port ")
		s.Log.Wait(t, "Session closed for guest")
	}
	if got := ask(t, 0, s.Addr, lab.Request{User: "someone", Password: "guest/x", Command: "id"}); got != permissionDenied {
		t.Errorf("a guest with a password: %q", got)
	}
	first := dial(t, 0, s.Addr)
	first.Write(request(u, "echo first; cat").Bytes())
	first.Read(make([]byte, 7))
	if got := ask(t, 0, s.Addr, request(u, "id")); got != "\x01Try again.\n" {
		t.Errorf("a second session: %q", got)
	}
	first.CloseWrite()
	s.Log.Wait(t, "Session closed for "+u.Name)
}

func TestWrongSettingsAreToldAfterTheStderrConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, "nonsense = 1\n", "", lab.Handler{})
	if r := glibc(t, s.Addr, "root", "root", "id", "", "4"); r.err != "Try again.\n" || r.status != 1 {
		t.Errorf("%+v", r)
	}
	r := s.Log.Wait(t, `unknown setting "nonsense"`)
	if !strings.HasPrefix(r["MESSAGE"], "Configuration error: ") || r["SYSLOG_IDENTIFIER"] != "in.rshd" {
		t.Errorf("the record is %v", r)
	}
}
