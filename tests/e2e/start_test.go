package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"rexecd/tests/lab"
)

func TestAHomeThatTheUserCannotEnterIsRefusedBeforeTheStatusByte(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	for _, name := range []string{"closed", "parent", "parent/home"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "parent/home"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o777); err != nil {
		t.Fatal(err)
	}
	s := serve(t, lab.Handler{})
	for _, home := range []string{"missing", "file", "closed", "parent/home"} {
		t.Run(home, func(t *testing.T) {
			u := newUser(t, lab.User{Home: filepath.Join(dir, home)})
			wantAll(t, s.Addr, request(u, "echo no"), "\x01No remote directory.\n")
			s.Log.Wait(t, "Refused "+u.Name+" from")
			if a := lab.Open(t, s.Addr, u.Name, u.Password, "echo no").Rest(t); string(a.All) != "\x01No remote directory.\n" || len(a.Stderr) > 0 {
				t.Errorf("with a stderr connection: %v", a)
			}
		})
	}
}

func TestTheCommandStartsInTheHomeOfTheUser(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{Groups: "users,audio"})
	wantOut(t, s.Addr, request(u, "pwd; id -un; id -gn; id -Gn"), "/home/"+u.Name+"\n"+u.Name+"\n"+u.Name+"\n"+u.Name+" audio users\n")
}

func TestAShellThatCannotBeStartedIsReportedOnTheCommandsStderr(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	if err := os.WriteFile(dir+"/plain", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/text", []byte("echo no\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := serve(t, lab.Handler{})
	for shell, reason := range map[string]string{
		dir + "/missing": "No such file or directory",
		dir + "/plain":   "Permission denied",
		dir + "/text":    "Exec format error",
		dir:              "Permission denied",
	} {
		t.Run(reason, func(t *testing.T) {
			u := newUser(t, lab.User{Shell: shell})
			wantAll(t, s.Addr, request(u, "echo no"), "\x00"+shell+": "+reason+"\n")
			a := lab.Open(t, s.Addr, u.Name, u.Password, "echo no").Rest(t)
			if string(a.All) != "\x00" || string(a.Stderr) != shell+": "+reason+"\n" {
				t.Errorf("with a stderr connection: %v", a)
			}
			s.Log.Wait(t, "Refused "+u.Name+" from")
		})
	}
}

func TestAnEmptyShellFieldIsTheBourneShell(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	lab.Run(t, "usermod", "-s", "", u.Name)
	if got := lab.Run(t, "getent", "passwd", u.Name); got[len(got)-2] != ':' {
		t.Fatalf("the shell field of %q is not empty", got)
	}
	wantOut(t, serve(t, lab.Handler{}).Addr, request(u, "echo $0 $SHELL"), "sh /bin/sh\n")
}

func TestTheShellIsNamedByItsLastPart(t *testing.T) {
	t.Parallel()
	shell := script(t, "cat /proc/$$/cmdline; :\n")
	u := newUser(t, lab.User{Shell: shell})
	s := serve(t, lab.Handler{})
	// The kernel puts the script's path for its name; a binary keeps it.
	wantOut(t, s.Addr, request(u, "echo  'a b' "), "/bin/sh\x00"+shell+"\x00-c\x00echo  'a b' \x00")
	wantOut(t, s.Addr, request(newUser(t, lab.User{Shell: "/bin/bash"}), "echo $0"), "bash\n")
}

func TestCommandsAreHandedOnByteForByte(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	for _, c := range []struct{ name, command, want string }{
		{"empty", "", ""},
		{"space before", " echo x", "x\n"},
		{"space behind", "echo x ", "x\n"},
		{"newline", "echo a\necho b", "a\nb\n"},
		{"carriage return", "printf %s 'a\r\nb'", "a\r\nb"},
		{"not UTF-8", "printf %s '\xff\xfe\x01\x1b'", "\xff\xfe\x01\x1b"},
		{"quotes", `echo "a'b"`, "a'b\n"},
	} {
		t.Run(c.name, func(t *testing.T) { wantOut(t, s.Addr, request(u, c.command), c.want) })
	}
}

func TestAForkThatFailsIsToldBeforeTheStatusByte(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{Before: refuseFork(t)})
	u := newUser(t, lab.User{})
	wantAll(t, s.Addr, request(u, "echo no"), "\x01Try again.\n")
	s.Log.Wait(t, "Refused "+u.Name+" from")
}
