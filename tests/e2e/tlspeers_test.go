package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// Python's ssl, with both connections: a client of standard error listens as ever, and does TLS as
// the client on what it accepts.
const pythonClient = `
import os, socket, ssl, sys
host, port, user, password, command, ca, version = sys.argv[1:]
ctx = ssl.create_default_context(cafile=ca)
ctx.maximum_version = getattr(ssl.TLSVersion, version)
raw = socket.create_connection((host, int(port)))
c = ctx.wrap_socket(raw, server_hostname=host, suppress_ragged_eofs=False)
l = socket.socket(); l.bind((c.getsockname()[0], 0)); l.listen()
c.sendall(b"%d\0" % l.getsockname()[1])
e = ctx.wrap_socket(l.accept()[0], server_hostname=host, suppress_ragged_eofs=False)
c.sendall(b"\0".join(map(os.fsencode, (user, password, command))) + b"\0" + b"input\n")
assert c.recv(1) == b"\0"
def all(s):
    b = b""
    while True:
        n = s.recv(4096)
        if not n: return b
        b += n
head = c.recv(4096)
print(c.version(), head, end=" ")
e.sendall(b"\x0f") # SIGTERM
print(all(c), all(e))
`

func TestPythonsSSLHasBothConnections(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	host, port, _ := net.SplitHostPort(s.Addr)
	for version, name := range map[string]string{"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"} {
		script := "trap 'echo caught; echo err >&2; exit' TERM; head -n1; while :; do :; done"
		cmd := exec.Command("timeout", "30", "/usr/bin/python3", "-c", pythonClient, host, port, u.Name, u.Password, script, c.Dir+"/ca.crt", version)
		stdout, stderr, status := run(t, cmd)
		if want := name + " b'input\\n' b'caught\\n' b'err\\n'\n"; stdout != want || status != 0 {
			t.Errorf("%s: %q, %q, %d; want %q", version, stdout, stderr, status, want)
		}
	}
}

// openssl's s_client, by which an administrator looks at a port.
func openssl(t testing.TB, s *lab.Listening, c *lab.Certificates, stdin string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("timeout", append([]string{"30", "openssl", "s_client", "-connect", s.Addr, "-CAfile", c.Dir + "/ca.crt", "-verify_return_error", "-quiet"}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() // not before: openssl goes once its input ends
	go in.Write([]byte(stdin))
	stdout, _, status := run(t, cmd)
	return stdout, status
}

func TestOpenSSLSpeaksTLSWithTheServer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	ask := string(request(u, "head -n1").Bytes()) + "in\n"
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		if out, status := openssl(t, s, c, ask, version); out != "\x00in\n" || status != 0 {
			t.Errorf("%s: %q, %d", version, out, status)
		}
	}
	// Renegotiation, which TLS 1.2 has, is refused; the command's input is cut off, not at its end.
	file := openDir(t) + "/got"
	ask = string(request(u, "cat >/dev/null && echo all >"+file+" || echo part >"+file).Bytes())
	cmd := exec.Command("sh", "-c", `{ printf '%b' "$1"; sleep 1; printf 'R\n'; sleep 2; } | timeout 30 openssl s_client -connect "$2" -CAfile "$3" -tls1_2 2>&1`,
		"sh", strings.ReplaceAll(strings.ReplaceAll(ask, "\\", `\\`), "\x00", `\0000`), s.Addr, c.Dir+"/ca.crt")
	stdout, _, _ := run(t, cmd)
	if !strings.Contains(stdout, "RENEGOTIATING") || !strings.Contains(stdout, "SSL alert number") {
		t.Errorf("openssl said %.2000q", stdout)
	}
	lab.Eventually(t, "the command's end", func() bool { return read(file) != "" })
	if got := read(file); got != "part\n" {
		t.Errorf("the command took its input for %q", got)
	}
	// Nothing to send early data with.
	stdout, _, _ = run(t, exec.Command("sh", "-c", fmt.Sprintf("timeout 30 openssl s_client -connect %s -CAfile %s/ca.crt -tls1_3 -sess_out %s/session </dev/null 2>&1; ls %[3]s", s.Addr, c.Dir, openDir(t))))
	if strings.Contains(stdout, "Max Early Data: 1") || strings.HasSuffix(stdout, "session\n") {
		t.Errorf("there is a session to resume: %.2000q", stdout)
	}
}

func TestACertificateIsReadForEachConnection(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	ask := func() (string, string) {
		stdout, stderr, _ := run(t, tlsClient(t, s.Addr, c, u, "-d", "-a", "echo in"))
		return stdout, stderr
	}
	if stdout, stderr := ask(); stdout != "in\n" {
		t.Errorf("%q %q", stdout, stderr)
	}
	for name, tt := range map[string]struct {
		do           string
		said, logged string
	}{
		"expired":   {"", "certificate has expired or is not yet valid", "TLS handshake: remote error: tls: "},
		"open key":  {"chmod 644 server.key", "", "lets others read or change it: chmod o= "},
		"another's": {"chown 65534 server.key", "", "it belongs to user 65534"},
		"any CA":    {"chmod 666 server.crt", "", "tls.certificate = "},
		"no key":    {"rm server.key", "", "server.key: no such file or directory"},
		"another":   {"cp ca.key server.key", "", "private key does not match public key"},
		"empty":     {": >server.crt", "", "failed to find any PEM data in certificate input"},
	} {
		if name == "expired" {
			c.Server(t, "server", time.Now().Add(-time.Hour), "127.0.0.1")
		} else {
			lab.Run(t, "sh", "-c", "rm -f "+c.Dir+"/server.*") // with owner and mode
			c.Server(t, "server", time.Time{}, "127.0.0.1")
			lab.Run(t, "sh", "-c", "cd "+c.Dir+" && "+tt.do)
		}
		stdout, stderr := ask()
		if stdout != "" || !strings.Contains(stderr, tt.said) {
			t.Errorf("%s: %q %q", name, stdout, stderr)
		}
		s.Log.Wait(t, tt.logged)
	}
	lab.Run(t, "sh", "-c", "rm -f "+c.Dir+"/server.*")
	c.Server(t, "server", time.Time{}, "127.0.0.1")
	if stdout, stderr := ask(); stdout != "in\n" {
		t.Errorf("renewed: %q %q", stdout, stderr)
	}
}

// Who has no certificate of the authority's is not served; who has one is in the log and in the
// rules by its name.
func TestAClientsCertificateIsDemandedAndNamed(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	lab.AddRelayUser(t)
	c, other := lab.NewCertificates(t), lab.NewCertificates(t)
	c.Client(t, "ops-1")
	c.Client(t, "dev-1")
	other.Client(t, "ops-1")
	text := c.Server(t, "server", time.Time{}, "127.0.0.1") +
		"client_ca = '" + c.Dir + "/ca.crt'\n[[rule]]\nname = 'ops'\ncertificate = ['ops-*']\n"
	s := serve(t, lab.Handler{Args: []string{"-tls"}, Settings: text})
	show := func(from *lab.Certificates, name string, args ...string) (string, string) {
		args = append([]string{"--tls-cert", from.Dir + "/" + name + ".crt", "--tls-key", from.Dir + "/" + name + ".key"}, args...)
		stdout, stderr, _ := run(t, tlsClient(t, s.Addr, c, u, append(args, "echo in; echo err >&2")...))
		return stdout, stderr
	}
	if stdout, stderr := show(c, "ops-1"); stdout != "in\n" || stderr != "err\n" {
		t.Errorf("%q %q", stdout, stderr)
	}
	r := s.Log.Wait(t, `: certificate "ops-1": rule "ops"`)
	if r["REXEC_CERTIFICATE"] != "ops-1" {
		t.Errorf("the record is %v", r)
	}
	if stdout, stderr := show(c, "dev-1"); stdout != "" || !strings.Contains(stderr, "Permission denied.") {
		t.Errorf("a name that no rule has: %q %q", stdout, stderr)
	}
	file := openDir(t) + "/rexecd.toml"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ops-1": "matches: allows", "dev-1": `certificate "dev-1" is not in ["ops-*"]`, "": "there is no certificate"} {
		out, _, _ := run(t, exec.Command(lab.Rexecd(t), "-explain", "-config", file, "-certificate", name, u.Name, "192.0.2.7", "id"))
		if !strings.Contains(out, want) {
			t.Errorf("-explain -certificate %q: %q; want %q", name, out, want)
		}
	}
	// Names that are none: of the authority's, but not to be shown, or matched.
	for i, bad := range []string{"", "ops-\x1b[2J", "ops-\u202e1", "ops-1\x00", "ops-" + strings.Repeat("x", 61)} {
		c.Client(t, "bad"+itoa(i), bad)
		if stdout, stderr := show(c, "bad"+itoa(i)); stdout != "" || stderr == "" {
			t.Errorf("the name %q: %q %q", bad, stdout, stderr)
		}
	}
	s.Log.Wait(t, "the certificate's subject has 0 common names")
	s.Log.Wait(t, "has some that cannot be shown")
	if stdout, stderr := show(other, "ops-1"); stdout != "" || stderr == "" {
		t.Errorf("another authority's: %q %q", stdout, stderr)
	}
	stdout, stderr, _ := run(t, tlsClient(t, s.Addr, c, u, "echo in"))
	if stdout != "" || !strings.Contains(stderr, "it may demand a certificate (--tls-cert, --tls-key)") {
		t.Errorf("none: %q %q", stdout, stderr)
	}
}
