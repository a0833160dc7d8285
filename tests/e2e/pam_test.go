package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// recorder is a script for pam_exec that writes down what it is called for, and the file it
// writes to.
func recorder(t testing.TB) (stack, file string) {
	dir := openDir(t)
	file = dir + "/record"
	path := script(t, `printf '%s %s %s %s %s %s\n' "$PAM_TYPE" "$PAM_SERVICE" "$PAM_USER" "$PAM_RHOST" "$PAM_TTY" "${PAM_RUSER-none}" >>`+file+"\n")
	exec := "pam_exec.so quiet " + path
	return fmt.Sprintf("auth required pam_unix.so nodelay\nauth required %s\naccount required pam_unix.so\naccount required %[1]s\nsession required %[1]s\n", exec), file
}

func TestPAMIsCalledInOrderWithTheItemsSet(t *testing.T) {
	t.Parallel()
	stack, file := recorder(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: stack}})
	wantOut(t, s.Addr, request(u, "cat "+file), record(u, "auth", "account", "open_session"))
	s.Process(t, 0).Wait(t)
	if got, want := read(file), record(u, "auth", "account", "open_session", "close_session"); got != want {
		t.Errorf("PAM's calls = %q; want %q", got, want)
	}
}

// record is what recorder's script writes for these calls from 127.0.0.1.
func record(u lab.User, calls ...string) string {
	var b strings.Builder
	for _, call := range calls {
		b.WriteString(call + " rexec " + u.Name + " 127.0.0.1 rexec none\n")
	}
	return b.String()
}

func TestCredentialsAreSetBeforeTheSessionAndDeletedAfterIt(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: "auth required pam_unix.so nodelay\nauth required pam_warn.so\naccount required pam_unix.so\naccount required pam_warn.so\nsession required pam_permit.so\nsession required pam_warn.so\n"}})
	wantOut(t, s.Addr, request(u, "echo yes"), "yes\n")
	s.Process(t, 0).Wait(t)
	var calls []string
	warn := regexp.MustCompile(`function=\[pam_sm_(\w+)\] flags=(\w+) service=\[rexec\] terminal=\[rexec\] user=\[` + u.Name + `\] ruser=\[[^]]*\] rhost=\[127\.0\.0\.1\]`)
	lab.Eventually(t, "the last of PAM's calls", func() bool {
		calls = nil
		for _, line := range s.Log.Lines() {
			if m := warn.FindStringSubmatch(line); m != nil {
				calls = append(calls, m[1]+" "+m[2])
			}
		}
		return len(calls) > 0 && strings.HasSuffix(calls[len(calls)-1], " 0x4")
	})
	// 1 = DISALLOW_NULL_AUTHTOK, 2 = ESTABLISH_CRED, 4 = DELETE_CRED, 8 = REINITIALIZE_CRED
	want := "authenticate 0x1, acct_mgmt 0x1, setcred 0x2, open_session 0, setcred 0x8, close_session 0, setcred 0x4"
	if got := strings.ReplaceAll(strings.Join(calls, ", "), "session 0x0", "session 0"); got != want {
		t.Errorf("PAM's calls = %s; want %s", got, want)
	}
}

func TestTheLimitsOfPAMAndNoOthersReachTheCommand(t *testing.T) {
	t.Parallel()
	// Debian's pam_limits begins with the limits of process 1, everybody else's with those it was
	// started with: where they are the same, every row has one meaning. The soft limit is what
	// Go's runtime raises.
	nofile, nproc := limits(t, "/proc/1/limits", "Max open files"), limits(t, "/proc/1/limits", "Max processes")
	for _, c := range []struct{ name, rows, nofile, nproc string }{
		{"no pam_limits", "", "1024 " + nofile[1], nproc[0] + " " + nproc[1]},
		{"soft", "* soft nofile 777\n* soft nproc 555\n", "777 " + nofile[1], "555 " + nproc[1]},
		{"hard above the soft one", "* hard nofile 2222\n* hard nproc 5555\n", "1024 2222", "5555 5555"},
		{"hard below the soft one", "* hard nofile 500\n* hard nproc 400\n", "500 500", "400 400"},
		{"both", "* soft nofile 600\n* hard nofile 3000\n* soft nproc 601\n* hard nproc 3001\n", "600 3000", "601 3001"},
		{"both in one", "* - nofile 888\n* - nproc 889\n", "888 888", "889 889"},
		{"soft above the super-server's", "* soft nofile 2048\n", "2048 " + nofile[1], nproc[0] + " " + nproc[1]},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUser(t, lab.User{})
			conf := openDir(t) + "/limits.conf"
			if err := os.WriteFile(conf, []byte(strings.ReplaceAll(c.rows, "*", u.Name)), 0o644); err != nil {
				t.Fatal(err)
			}
			stack := lab.Stack
			if c.rows != "" {
				stack += "session required pam_limits.so conf=" + conf + "\n"
			}
			s := serve(t, lab.Handler{Room: lab.Room{Stack: stack}, Before: []string{"prlimit", "--nofile=1024:"}})
			got := openDir(t) + "/limits"
			wantOut(t, s.Addr, request(u, "cat /proc/$$/limits >"+got), "")
			for name, want := range map[string]string{"Max open files": c.nofile, "Max processes": c.nproc} {
				if l := limits(t, got, name); l[0]+" "+l[1] != want {
					t.Errorf("%s = %v; want %s", name, l, want)
				}
			}
		})
	}
}

// limits returns the soft and the hard limit from a file like /proc/PID/limits.
func limits(t testing.TB, path, name string) []string {
	t.Helper()
	m := regexp.MustCompile(name + ` +(\w+) +(\w+)`).FindStringSubmatch(read(path))
	if m == nil {
		t.Fatalf("no %s in %s", name, path)
	}
	return m[1:]
}

func TestWhatPAMSetsUpIsSeenInTheCommand(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	env := "FROM_CONF DEFAULT=yes\nPATH DEFAULT=/opt/bin:/usr/bin:/bin\n"
	for _, name := range []string{"HOME", "SHELL", "USER", "LOGNAME", "LD_PRELOAD", "LD_LIBRARY_PATH", "IFS", "BASH_ENV", "ENV", "REXEC_CLIENT"} {
		env += name + " DEFAULT=/evil\n"
	}
	if err := os.WriteFile(dir+"/env.conf", []byte(env), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, lab.Handler{Room: lab.Room{
		Files: map[string]string{"/etc/security/group.conf": "rexec; rexec; *; Al0000-2400; audio, video\n"},
		Stack: "auth required pam_group.so\n" + lab.Stack + `session required pam_loginuid.so
session required pam_umask.so umask=0137
session required pam_env.so conffile=` + dir + `/env.conf readenv=0
session required pam_keyinit.so force revoke
`}})
	u := newUser(t, lab.User{Groups: "users"})
	for _, c := range []struct{ module, command, want string }{
		{"pam_group", "id -Gn", u.Name + " audio video users\n"},
		{"pam_loginuid", "cat /proc/self/loginuid", uid(t, u)},
		{"pam_umask", "umask", "0137\n"},
		{"pam_env", "echo $FROM_CONF $PATH", "yes /opt/bin:/usr/bin:/bin\n"},
		{"pam_env may not say who the user is", "echo $HOME $SHELL $USER $LOGNAME", "/home/" + u.Name + " /bin/sh " + u.Name + " " + u.Name + "\n"},
		{"pam_env may not make the shell run other code", `tr '\0' '\n' </proc/$$/environ | grep -E 'evil|^(IFS|ENV|BASH_ENV|LD_)'; :`, ""},
	} {
		t.Run(c.module, func(t *testing.T) { wantOut(t, s.Addr, request(u, c.command), c.want) })
	}
	// keyctl(KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING)
	describe := `exec perl -e 'my $b = "\0" x 256; my $id = syscall(` + keyctl + `, 0, -3, 0); syscall(` + keyctl + `, 6, $id, $b, 256); print "$id $b"'`
	first, second := out(t, s.Addr, request(u, describe)), out(t, s.Addr, request(u, describe))
	wantMatch(t, "session keyring", first, `\d+ keyring;`+uid(t, u)+`;\d+;[0-9a-f]+;_ses\x00+`)
	if first == second {
		t.Errorf("two sessions share the keyring %q", first)
	}
}

func TestWithoutPAMUmaskTheCommandHasTheSuperServersUmask(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Before: []string{"sh", "-c", `umask 027; exec "$@"`, "sh"}})
	wantOut(t, s.Addr, request(u, "umask"), "0027\n")
}

func TestWhatModulesSayNeverReachesTheWire(t *testing.T) {
	t.Parallel()
	noise := openDir(t) + "/noise"
	if err := os.WriteFile(noise, []byte("NOISE from pam_echo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	loud := script(t, `echo NOISE on 1; echo NOISE on 2 >&2; for f in 0 1 2 3 4 5 6 7 8 9; do { echo NOISE >&$f; } 2>/dev/null; done; :`)
	var stack strings.Builder
	for _, kind := range []string{"auth", "account", "session"} {
		fmt.Fprintf(&stack, "%s optional pam_echo.so file=%s\n%[1]s optional pam_exec.so %[3]s\n%[1]s optional pam_exec.so stdout %[3]s\n", kind, noise, loud)
	}
	u := newUser(t, lab.User{})
	for _, on := range []lab.Descriptors{lab.InOutErr, lab.InOut, lab.In, lab.ListenFDs} {
		s := serve(t, lab.Handler{On: on, Room: lab.Room{Stack: stack.String() + lab.Stack}})
		wantOut(t, s.Addr, request(u, "echo out; echo err >&2"), "out\nerr\n")
		wantAll(t, s.Addr, lab.Request{User: u.Name, Password: "x", Command: "echo no"}, loginIncorrect)
		a := lab.Open(t, s.Addr, u.Name, u.Password, "echo out; echo err >&2").Rest(t)
		if string(a.All) != "\x00out\n" || string(a.Stderr) != "err\n" {
			t.Errorf("descriptors %d: %v", on, a)
		}
	}
}

func TestModulesThatLeaveAProcessBehindDoNotHoldTheConnection(t *testing.T) {
	t.Parallel()
	left := openDir(t) + "/left"
	daemon := script(t, "sleep 1000 & echo $! >"+left+"\n")
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: lab.Stack + "session optional pam_exec.so " + daemon + "\n"}})
	wantOut(t, s.Addr, request(u, "echo done"), "done\n") // reads to the end of file
	if pid := strings.TrimSpace(read(left)); !alive(pid) {
		t.Errorf("the process %s that the module left is gone: this test shows nothing", pid)
	}
}
