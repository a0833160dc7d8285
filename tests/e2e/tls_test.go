package e2e

import (
	"bytes"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// tlsClient is rexec for a server that ServeTLS has started.
func tlsClient(t testing.TB, addr string, c *lab.Certificates, u lab.User, args ...string) *exec.Cmd {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	line := append([]string{"--tls-ca", c.Dir + "/ca.crt", "-P", port, "-l", u.Name, "-p", u.Password}, args[:len(args)-1]...)
	cmd := exec.Command(lab.Client(t), append(line, host, args[len(args)-1])...)
	cmd.Env = []string{"HOME=/root", "PATH=/usr/bin:/bin"}
	return cmd
}

func TestACommandWithTLSIsACommand(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	data := make([]byte, 5<<20)
	rand.Read(data)
	for _, way := range []string{"--stderr=yes", "--stderr=no"} {
		cmd := tlsClient(t, s.Addr, c, u, way, "--status", "cat; echo err >&2; exit 7")
		cmd.Stdin = bytes.NewReader(data)
		stdout, stderr, status := run(t, cmd)
		want := string(data)
		if way == "--stderr=no" {
			want, stderr = want+"err\n", stderr+"err\n"
		}
		if stdout != want || stderr != "err\n" || status != 7 {
			t.Errorf("%s: %d bytes of output, stderr %q, status %d", way, len(stdout), stderr, status)
		}
	}
	// Input that is left unread is no error, and nor is a command that says nothing.
	cmd := tlsClient(t, s.Addr, c, u, "head -c 5; echo")
	cmd.Stdin = bytes.NewReader(data)
	if stdout, stderr, status := run(t, cmd); stdout != string(data[:5])+"\n" || stderr != "" || status != 0 {
		t.Errorf("head: %q %q %d", stdout, stderr, status)
	}
	// A signal.
	cmd = tlsClient(t, s.Addr, c, u, "-p", u.Password, "kill -TERM $$; echo no")
	if stdout, _, _ := run(t, cmd); stdout != "" {
		t.Errorf("kill: %q", stdout)
	}
	// A refusal.
	cmd = tlsClient(t, s.Addr, c, lab.User{Name: u.Name, Password: "wrong"}, "id")
	if _, stderr, status := run(t, cmd); stderr != "rexec: 127.0.0.1: Login incorrect.\n" || status != 1 {
		t.Errorf("wrong password: %q %d", stderr, status)
	}
	for _, p := range s.Processes() {
		p.Wait(t)
	}
	if raw := s.Log.Raw(); strings.Contains(raw, "Internal error") || strings.Contains(raw, "Protocol error") {
		t.Errorf("the log has %q", raw)
	}
}

// The supervisor's handlers speak TLS as well, those that wait and those that are started for a
// connection.
func TestStandbyAndDebugSpeakTLS(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	lab.AddRelayUser(t)
	c := lab.NewCertificates(t)
	file := openDir(t) + "/rexecd.toml"
	text := c.Server(t, "server", time.Time{}, "127.0.0.1")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, how := range [][]string{{"-standby", "2"}, {"-debug"}} {
		s := stand(t, lab.Room{}, lab.Rexecd(t), nil, append(how, "-tls", "-config", file)...)
		for range 3 {
			stdout, stderr, status := run(t, tlsClient(t, s.addr, c, u, "echo out; echo err >&2"))
			if stdout != "out\n" || stderr != "err\n" || status != 0 {
				t.Errorf("%v: %q %q %d; %s", how, stdout, stderr, status, s.out)
			}
		}
		// The supervisor inherits relays whose handlers end first.
		lab.Eventually(t, "the end of the relays", func() bool {
			own, _ := exec.Command("pgrep", "-c", "-P", strconv.Itoa(s.cmd.Process.Pid), "rexec-tlsd").Output()
			return string(own) == "0\n" // no remains either
		})
	}
}
