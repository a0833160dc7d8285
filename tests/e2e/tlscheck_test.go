package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// rexecd -check shows what a certificate is for and until when, and what is wrong with it.
func TestCheckShowsTheCertificate(t *testing.T) {
	lab.AddRelayUser(t)
	c := lab.NewCertificates(t)
	if err := os.MkdirAll("/etc/rexecd", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll("/etc/rexecd") })
	day := func(d int) time.Time { return time.Now().AddDate(0, 0, d) }
	for _, tt := range []struct {
		until time.Time
		do    string
		want  string
	}{
		{day(90), "", "ok   tls: /etc/rexecd/tls.crt is for host.example, 192.0.2.1; its last day is " + day(90).UTC().Format(time.DateOnly) + "\n"},
		{day(20), "", "note tls: /etc/rexecd/tls.crt is for host.example, 192.0.2.1; its last day is " + day(20).UTC().Format(time.DateOnly) + ": renew it"},
		{day(-5), "", "FAIL tls: /etc/rexecd/tls.crt is for host.example, 192.0.2.1; its last day was "},
		{day(90), "chmod 644 /etc/rexecd/tls.key", "FAIL tls: /etc/rexecd/tls.key has mode 0644: chmod 600 keeps the key to root"},
		{day(90), "chmod 640 /etc/rexecd/tls.key", "note tls: /etc/rexecd/tls.key has mode 0640"},
		{day(90), "chown 65534 /etc/rexecd/tls.key", "FAIL tls: /etc/rexecd/tls.key belongs to user 65534: chown root"},
		{day(90), "chmod 666 /etc/rexecd/tls.crt", "FAIL tls: /etc/rexecd/tls.crt has mode 0666: anybody can put another in its place"},
		{day(90), "cp " + c.Dir + "/ca.key /etc/rexecd/tls.key", "FAIL tls: /etc/rexecd/tls.crt, /etc/rexecd/tls.key: certificate and key: "},
		{day(90), "rm /etc/rexecd/tls.key", "FAIL tls: open /etc/rexecd/tls.key: no such file or directory"},
	} {
		c.Server(t, "server", tt.until, "host.example", "192.0.2.1")
		lab.Run(t, "sh", "-ec", "rm -f /etc/rexecd/tls.*; cp "+c.Dir+"/server.crt /etc/rexecd/tls.crt; cp "+c.Dir+"/server.key /etc/rexecd/tls.key; chmod 600 /etc/rexecd/tls.key; "+tt.do)
		stdout, _, status := run(t, exec.Command(lab.Rexecd(t), "-check"))
		if !strings.Contains(stdout, tt.want) || strings.HasPrefix(tt.want, "FAIL") && status != 1 {
			t.Errorf("%s: %d, %s; want %s", tt.do, status, stdout, tt.want)
		}
	}
	// A file that is only named with -config is looked at without the host's service.
	file := openDir(t) + "/rexecd.toml"
	text := c.Server(t, "server", day(90), "host.example") + "client_ca = '/nonexistent/ca.crt'\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, _, status := run(t, exec.Command(lab.Rexecd(t), "-check", "-config", file))
	if status != 1 || !strings.Contains(stdout, "FAIL tls: open /nonexistent/ca.crt: no such file") {
		t.Errorf("-check -config: %d, %s", status, stdout)
	}
	if _, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-install", "tls")); status != 1 || !strings.Contains(stderr, "tls.key: no such file") {
		t.Errorf("-install tls: %d, %s", status, stderr)
	}
}
