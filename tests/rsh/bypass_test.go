package rsh

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// pam_unix with nullok, as Debian's common-auth has it, asks nothing of an account without a
// password: that is no host's trust, and is not permitted by permit_empty_password's default.
func TestAnAccountWithoutAPasswordIsNoTrustedOne(t *testing.T) {
	t.Parallel()
	bare := lab.User{Name: "bare"}
	lab.AddUser(t, bare)
	const nullok = "auth sufficient pam_rhosts.so\nauth required pam_unix.so nullok nodelay\n"
	stack := nullok + strings.SplitAfterN(lab.Stack, "\n", 2)[1]
	s := serve(t, trust, stack, lab.Handler{})
	for _, user := range []string{"bare", "bare/", "bare/x"} {
		if got := ask(t, 640, s.Addr, lab.Request{User: "someone", Password: user, Command: "id -un"}); got != permissionDenied {
			t.Errorf("%q: %q", user, got)
		}
	}
}

// Servers believe rsh's name for its user. Somebody whose ID is not in /etc/passwd, but in a
// directory, chooses what the environment says.
func TestNobodyGivesRshAnotherUsersName(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 root\n127.0.0.1 someone\n")
	s := serve(t, trust, trustStack, lab.Handler{Address: "127.0.0.10", Port: 514})
	program := filepath.Join(lab.OpenDir(t), "rsh")
	lab.Run(t, "cp", lab.Rsh(t), program)
	lab.Run(t, "setcap", "cap_net_bind_service=ep", program)
	host, _, _ := net.SplitHostPort(s.Addr)
	for _, name := range []string{"root", "someone"} {
		cmd := exec.Command("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", program, "-l", u.Name, host, "id -un")
		cmd.Env = append(os.Environ(), "USER="+name, "LOGNAME="+name, "HOME=/nowhere")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "no user in /etc/passwd has the ID 54321") {
			t.Errorf("USER=%s: %v, %s", name, err, out)
		}
	}
}

// A module that hangs is ended with the process; another of the same program writes the record,
// which has all that is known of a login of rsh's.
func TestAHungModuleIsEndedAndReported(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 someone\n")
	script := filepath.Join(lab.OpenDir(t), "hang")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec sleep 30\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "grace = 3\n"+trust, "auth required pam_exec.so quiet "+script+"\n"+trustStack, lab.Handler{})
	if got := ask(t, 641, s.Addr, lab.Request{User: "someone", Password: u.Name, Command: "id"}); got != "" {
		t.Errorf("%q", got)
	}
	r := s.Log.Wait(t, "from 127.0.0.1 port 641 as someone: grace time of 3s over in pam_authenticate")
	if r["REXEC_CLIENT_USER"] != "someone" || r["SYSLOG_IDENTIFIER"] != "in.rshd" {
		t.Errorf("the record is %v", r)
	}
}
