package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestRealSuperServersStartIt(t *testing.T) {
	t.Parallel()
	bin := lab.Server(t)
	dir := openDir(t)
	for file, line := range map[string]string{"4": "127.0.0.1:5141 stream tcp", "6": "[::1]:5145 stream tcp6"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(line+" nowait root "+bin+" in.rexecd\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	inetd := lab.Deb(t, "openbsd-inetd") + "/usr/sbin/inetd"
	activate := []string{"systemd-socket-activate", "--accept"}
	for _, c := range []struct {
		name, address, port, family string
		argv                        []string
	}{
		{"openbsd-inetd", "127.0.0.1", "5141", "4", []string{inetd, "-i", filepath.Join(dir, "4")}},
		{"openbsd-inetd IPv6", "::1", "5145", "6", []string{inetd, "-i", filepath.Join(dir, "6")}},
		{"systemd-socket-activate", "127.0.0.1", "5142", "4", append(activate[:2:2], "-l", "127.0.0.1:5142", bin)},
		{"systemd-socket-activate IPv6", "::1", "5143", "6", append(activate[:2:2], "-l", "[::1]:5143", bin)},
		{"systemd-socket-activate --inetd", "127.0.0.1", "5144", "4", append(activate[:2:2], "--inetd", "-l", "127.0.0.1:5144", bin)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stack, file := recorder(t)
			said := &output{}
			cmd := exec.Command(c.argv[0], c.argv[1:]...)
			cmd.Stdout, cmd.Stderr = said, said
			log := lab.Room{Stack: stack}.Command(t, cmd)
			addr := net.JoinHostPort(c.address, c.port)
			listening(t, addr)
			u := newUser(t, lab.User{})
			for range 3 {
				compare(t, c.name, rexec(t, addr, u, "cat; echo err >&2", "in", c.family), result{"in", "err\n", 0})
			}
			compare(t, c.name, rexec(t, addr, u, "cat; echo err >&2", "in", "-"+c.family), result{"inerr\n", "", 0})
			compare(t, c.name, rexec(t, addr, u, "tr '\\0' '\\n' </proc/$$/environ | wc -l; exec grep -E 'SigBlk|SigIgn' /proc/self/status", "", c.family),
				result{"6\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", "", 0})
			compare(t, c.name, rexec(t, addr, lab.User{Name: u.Name, Password: "x"}, "cat", "in", c.family), result{"", "Login incorrect.\n", 1})
			log.Wait(t, "Accepted password for "+u.Name+" from "+c.address+" port ")
			log.Wait(t, "Failed password for "+u.Name+" from "+c.address+" port ")
			log.Wait(t, "Session closed for "+u.Name+" from "+c.address+" port ")
			lab.Eventually(t, "the last session's end", func() bool { return strings.Count(read(file), "close_session") == 5 })
			if strings.Contains(said.String(), "Secret of") {
				t.Errorf("the super-server printed a password: %q", said)
			}
		})
	}
}

// listening waits until something listens, by looking, not by connecting: a connection is a
// request.
func listening(t testing.TB, addr string) {
	t.Helper()
	lab.Eventually(t, addr+" to listen", func() bool {
		out, err := exec.Command("ss", "-Hltn", "src", addr).Output()
		return err == nil && len(out) > 0
	})
}
