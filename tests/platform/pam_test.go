package platform

import (
	"os"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// The three families include different stacks. Those of Fedora are written here in Fedora's
// shape; Debian's common-* files have the names that SUSE's have.
func TestThePAMFilesOfAllFamiliesLogIn(t *testing.T) {
	prepareHost(t)
	write(t, "/etc/pam.d/password-auth", `auth        required      pam_env.so
auth        sufficient    pam_unix.so
auth        required      pam_deny.so
account     required      pam_unix.so
password    required      pam_deny.so
session     optional      pam_keyinit.so revoke
session     required      pam_limits.so
session     required      pam_unix.so
`)
	write(t, "/etc/pam.d/postlogin", "session     optional      pam_umask.so silent\n")
	write(t, "/etc/security/limits.d/rexec.conf", "alice soft nproc 12345\n")
	debian := read(t, "/etc/pam.d/rexec")
	limits := read(t, "/etc/pam.d/common-session")
	t.Cleanup(func() {
		write(t, "/etc/pam.d/rexec", debian)
		write(t, "/etc/pam.d/common-session", limits)
		for _, f := range []string{"/etc/pam.d/password-auth", "/etc/pam.d/postlogin", "/etc/security/limits.d/rexec.conf"} {
			os.Remove(f)
		}
	})
	daemon(t, "systemd-socket-activate", "--accept", "--inetd", "-l", "127.0.0.1:5134", installed)
	awaitListener(t, "127.0.0.1:5134")
	for _, family := range []string{"debian", "fedora", "suse"} {
		t.Run(family, func(t *testing.T) {
			copyTo(t, lab.Root(t)+"/packaging/pam.d/"+family, "/etc/pam.d/rexec", 0o644)
			if family == "suse" { // SUSE's common-session has pam_limits, Debian's sshd file has it itself
				write(t, "/etc/pam.d/common-session", limits+"session required pam_limits.so\n")
			}
			checkSays(t, "ok   PAM: /etc/pam.d/rexec, with session lines")
			ask := func(r lab.Request) string { return string(lab.Ask(t, "127.0.0.1:5134", r).All) }
			right := lab.Request{User: "alice", Password: "correct-horse", Command: "ulimit -p; cat /proc/self/loginuid; echo; id -un"}
			uid := strings.TrimSpace(lab.Run(t, "id", "-u", "alice"))
			if got, want := ask(right), "\x0012345\n"+uid+"\nalice\n"; got != want {
				t.Errorf("%q; want %q: pam_limits, pam_loginuid", got, want)
			}
			if got := ask(lab.Request{User: "alice", Password: "wrong", Command: "id"}); got != "\x01Login incorrect.\n" {
				t.Errorf("a wrong password: %q", got)
			}
			write(t, "/run/nologin", "closed for the night\n")
			defer os.Remove("/run/nologin")
			if got := ask(right); got != "\x01closed for the night\n" {
				t.Errorf("pam_nologin: %q", got)
			}
		})
	}
}
