package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// nullok, so that an empty password is refused by nothing but the server.
const refusalStack = `auth     required pam_unix.so nodelay nullok
account  required pam_unix.so
session  required pam_permit.so
`

func TestEveryRefusalIsByteForByteTheDocumentedOne(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Room: lab.Room{Stack: refusalStack}})
	good := newUser(t, lab.User{})
	with := func(u lab.User, change func(name string)) lab.User { change(u.Name); return u }
	wrong := func(u lab.User) lab.User { u.Password = "Secret of nobody"; return u }
	chage := func(args ...string) func(string) {
		return func(name string) { lab.Run(t, "chage", append(args, name)...) }
	}
	lockedHash := "!" + lab.Hash(t, "Secret of the locked")
	locked := newUser(t, lab.User{Hash: lockedHash, Password: "Secret of the locked"})
	root := lab.User{Name: "root", Password: "Secret of root"}
	lab.Run(t, "usermod", "-p", lab.Hash(t, root.Password), "root")
	toor := newUser(t, lab.User{})
	lab.Run(t, "usermod", "-o", "-u", "0", toor.Name)
	empty := newUser(t, lab.User{})
	lab.Run(t, "passwd", "-d", empty.Name)
	empty.Password = ""
	expired := with(newUser(t, lab.User{}), chage("-E", "1"))
	mustChange := with(newUser(t, lab.User{}), chage("-d", "0"))
	inactive := with(newUser(t, lab.User{}), chage("-d", "2020-01-01", "-M", "10", "-I", "10"))

	for _, c := range []struct {
		name, want, log string
		user            lab.User
	}{
		{"wrong password", loginIncorrect, "Failed password for " + good.Name + " from 127.0.0.1 port ", wrong(good)},
		{"no password", loginIncorrect, "Failed password for " + good.Name + " from", lab.User{Name: good.Name}},
		{"the password and more", loginIncorrect, "Failed password for " + good.Name + " from", lab.User{Name: good.Name, Password: good.Password + " "}},
		{"unknown user", loginIncorrect, "Failed password for invalid user nosuch from 127.0.0.1 port ", lab.User{Name: "nosuch", Password: "Secret of nosuch"}},
		{"root with the right password", loginIncorrect, "Failed password for root from", root},
		{"root with a wrong password", loginIncorrect, "Failed password for root from", wrong(root)},
		{"another name for root", loginIncorrect, "Failed password for " + toor.Name + " from", toor},
		{"empty password", loginIncorrect, "Failed password for " + empty.Name + " from", empty},
		{"a password where none is set", loginIncorrect, "Failed password for " + empty.Name + " from", wrong(empty)},
		{"locked account", loginIncorrect, "Failed password for " + locked.Name + " from", locked},
		{"locked account, its hash as password", loginIncorrect, "Failed password for", lab.User{Name: locked.Name, Password: lockedHash}},
		{"account without a password", loginIncorrect, "Failed password for", newUser(t, lab.User{Hash: "*"})},
		{"expired account", "\x01Account expired.\n", "Refused " + expired.Name + " from 127.0.0.1 port ", expired},
		{"expired account, wrong password", loginIncorrect, "Failed password for " + expired.Name + " from", wrong(expired)},
		{"expired password", "\x01Password expired.\n", "Refused " + mustChange.Name + " from", mustChange},
		{"expired password, wrong password", loginIncorrect, "Failed password for " + mustChange.Name + " from", wrong(mustChange)},
		{"password expired too long ago", "\x01Password expired.\n", "Refused " + inactive.Name + " from", inactive},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // refusals take their time on purpose
			wantAll(t, s.Addr, request(c.user, "echo no"), c.want)
			s.Log.Wait(t, c.log)
			session := lab.Open(t, s.Addr, c.user.Name, c.user.Password, "echo no")
			if a := session.Rest(t); string(a.All) != c.want || len(a.Stderr) != 0 || a.Err != nil {
				t.Errorf("with a stderr connection: %v; want %q", a, c.want)
			}
		})
	}
}

func TestNamesThatNoAccountCanHaveAreRefusedLikeUnknownOnes(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	names := []string{"", "-r", "a/b", "../etc/passwd", "a:b", "a\nb", "a\tb", "\x1b[2J", "\x7f", "\x80\xff", " ", "%s%n", ".", "..", "*", "+", "+@group", strings.Repeat("a", 256)}
	t.Run("all", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				wantAll(t, s.Addr, lab.Request{User: name, Password: "Secret of nobody", Command: "echo no"}, loginIncorrect)
			})
		}
	})
	for _, r := range s.Log.Records() {
		if !printable(r["MESSAGE"]) {
			t.Errorf("the name went into the message as it was: %q", r["MESSAGE"])
		}
	}
	s.Log.Wait(t, `Failed password for invalid user "a\nb" from 127.0.0.1 port `)
}

func TestTheWholeStackRunsForThoseWhoAreRefusedAnyway(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nosuch", "root", "-r"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, lab.Handler{Room: lab.Room{Stack: "auth required pam_unix.so nodelay\nauth required pam_warn.so\naccount required pam_unix.so\n"}})
			wantAll(t, s.Addr, lab.Request{User: name, Password: "x", Command: "echo no"}, loginIncorrect)
			s.Log.WaitLine(t, "function=[pam_sm_authenticate]")
		})
	}
}

func TestTheStackOfARefusedRootSeesAnotherPassword(t *testing.T) {
	t.Parallel()
	seen := openDir(t) + "/seen"
	s := serve(t, lab.Handler{Room: lab.Room{Stack: "auth optional pam_exec.so quiet expose_authtok " + script(t, "tr -d '\\0' >"+seen+"\n") + "\n" + lab.Stack}})
	u := newUser(t, lab.User{})
	wantOut(t, s.Addr, request(u, "echo yes"), "yes\n")
	if got := read(seen); got != u.Password {
		t.Fatalf("the module saw %q: this test shows nothing", got)
	}
	for _, name := range []string{"root", "-r"} {
		wantAll(t, s.Addr, lab.Request{User: name, Password: u.Password, Command: "echo no"}, loginIncorrect)
		if got := read(seen); got == u.Password || len(got) != len(u.Password) {
			t.Errorf("for %s the module saw %q; want another password of the same length", name, got)
		}
	}
}

func TestARefusalDoesNotWaitAsLongAsModulesAskFor(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Room: lab.Room{Stack: "auth optional pam_faildelay.so delay=60000000\n" + strings.Replace(lab.Stack, " nodelay", "", 1)}})
	for _, name := range []string{newUser(t, lab.User{}).Name, "nosuch", "root"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			wantAll(t, s.Addr, lab.Request{User: name, Password: "x", Command: "echo no"}, loginIncorrect)
			if took := time.Since(begin); took > 20*time.Second { // half a minute is the least that PAM would make of it
				t.Errorf("answered after %v", took)
			}
		})
	}
}

func TestNologinIsToldOnlyToThoseWhoProvedTheirPassword(t *testing.T) {
	t.Parallel()
	file := openDir(t) + "/nologin"
	if err := os.WriteFile(file, []byte("The machine is being moved.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, lab.User{})
	wrong := lab.User{Name: u.Name, Password: "x"}
	inAccount := serve(t, lab.Handler{Room: lab.Room{Stack: "auth required pam_unix.so nodelay\naccount required pam_nologin.so file=" + file + "\naccount required pam_unix.so\nsession required pam_permit.so\n"}})
	wantAll(t, inAccount.Addr, request(u, "echo no"), "\x01The machine is being moved.\n")
	inAccount.Log.Wait(t, "Refused "+u.Name+" from")
	wantAll(t, inAccount.Addr, request(wrong, "echo no"), loginIncorrect)
	inAuth := serve(t, lab.Handler{Room: lab.Room{Stack: "auth requisite pam_nologin.so file=" + file + "\n" + lab.Stack}})
	wantAll(t, inAuth.Addr, request(u, "echo no"), loginIncorrect)
}

func TestANameThatPAMChangesIsRefused(t *testing.T) {
	t.Parallel()
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	// pam_ftp logs everybody of its list in as the first of it.
	s := serve(t, lab.Handler{Room: lab.Room{Stack: "auth required pam_ftp.so users=" + other.Name + "," + u.Name + "\naccount required pam_permit.so\nsession required pam_permit.so\n"}})
	wantAll(t, s.Addr, request(u, "id -un"), loginIncorrect)
	s.Log.Wait(t, "Failed password for")
}
