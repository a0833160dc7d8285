package client

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// cluster gives loopback's addresses the names host1 to host40 and puts rexec
// into PATH.
func cluster(t *testing.T) (h host, env []string) {
	t.Helper()
	var names strings.Builder
	names.WriteString("127.0.0.1 localhost\n")
	for n := range 40 {
		fmt.Fprintf(&names, "127.0.1.%d host%d\n", n+1, n+1)
	}
	if err := os.WriteFile("/etc/hosts", []byte(names.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(lab.Client(t), filepath.Join(bin, "rexec")); err != nil {
		t.Fatal(err)
	}
	env = identity(t)
	env[0] = "PATH=" + bin + ":/usr/bin:/bin"
	return hosts(t)[0], env
}

// eachHost checks that every host's lines came whole and in order.
func eachHost(t *testing.T, text, want string) {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("line %q is of no host", line)
		}
		got[name] += rest
	}
	for n := range 40 {
		if name := fmt.Sprintf("host%d", n+1); got[name] != want {
			t.Errorf("%s: %.200q, want %.200q", name, got[name], want)
		}
	}
	if len(got) != 40 {
		t.Errorf("%d hosts answered", len(got))
	}
}

const fewLines = "for n in 1 2 3 4 5 6 7 8 9; do printf 'part '; echo and line $n; done"

var someLines = func() string {
	var b strings.Builder
	for n := range 9 {
		fmt.Fprintf(&b, "part and line %d\n", n+1)
	}
	return b.String()
}()

// The line of rexec(1): pdsh -R exec -w host[1-40] rexec -l user %h command.
func TestPdsh(t *testing.T) {
	h, env := cluster(t)
	pdsh := func(env []string, args ...string) *run {
		r := &run{args: append([]string{"pdsh", "-R", "exec", "-w", "host[1-40]"}, args...), env: env}
		r.do(t)
		return r
	}
	r := pdsh(env, "rexec", "-P", h.port, "-l", alice.Name, "%h", fewLines)
	eachHost(t, r.out.String(), someLines)
	if r.status != 0 || r.err.Len() > 0 {
		t.Errorf("status %d, stderr %q", r.status, r.err.String())
	}

	// .netrc in place of the environment
	home := t.TempDir()
	netrc := fmt.Sprintf("default login %s password %q\n", alice.Name, alice.Password)
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := []string{env[0], "HOME=" + home}
	r = pdsh(fromFile, "rexec", "-P", h.port, "%h", fewLines)
	eachHost(t, r.out.String(), someLines)

	// standard error apart, and each host's worst status
	r = pdsh(env, "-S", "rexec", "-P", h.port, "--status", "%h", "echo err >&2; exit %n")
	eachHost(t, pdshFailed.ReplaceAllString(r.err.String(), ""), "err\n")
	if r.status != 39 {
		t.Errorf("the worst status is %d, want 39: the last host's", r.status)
	}

	// no password and no terminal: an error from each, no prompt, no hang
	r = pdsh([]string{env[0], "HOME=" + t.TempDir()}, "-S", "rexec", "-P", h.port, "%h", "id")
	if n := strings.Count(r.err.String(), "no terminal to ask on"); n != 40 || r.status != 255 {
		t.Errorf("status %d; %d of 40 said why: %.300q", r.status, n, r.err.String())
	}
}

// The lines of rexecd-tls(7): the same, encrypted, with the hosts' names in one certificate.
func TestPdshAndClushWithTLS(t *testing.T) {
	_, env := cluster(t)
	lab.AddRelayUser(t)
	c := lab.NewCertificates(t)
	var names []string
	for n := range 40 {
		names = append(names, fmt.Sprintf("host%d", n+1))
	}
	s := lab.Handler{
		Path: lab.Server(t), Address: "0.0.0.0", Args: []string{"-tls"},
		Settings: c.Server(t, "server", time.Time{}, names...),
	}.Start(t)
	_, port, _ := strings.Cut(s.Addr, ":")
	r := &run{args: []string{"pdsh", "-S", "-R", "exec", "-w", "host[1-40]", "rexec", "--tls-ca", c.Dir + "/ca.crt", "-P", port,
		"--status", "%h", fewLines + "; exit %n"}, env: env}
	r.do(t)
	eachHost(t, r.out.String(), someLines)
	if r.status != 39 {
		t.Errorf("pdsh: status %d, stderr %.500q", r.status, r.err.String())
	}
	conf := filepath.Join(t.TempDir(), "clush.conf")
	options := "--status --tls-ca " + c.Dir + "/ca.crt -P " + port
	if err := os.WriteFile(conf, []byte(strings.Replace(clushConf, "--status", options, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	r = &run{args: []string{"clush", "--conf=" + conf, "-R", "rsh", "-w", "host[1-40]", fewLines}, env: env}
	r.do(t)
	eachHost(t, r.out.String(), someLines)
	if r.status != 0 || r.err.Len() > 0 {
		t.Errorf("clush: status %d, stderr %.500q", r.status, r.err.String())
	}
}

// pdshFailed is what pdsh says itself of a command that fails.
var pdshFailed = regexp.MustCompile(`(?m)^pdsh@.*\n`)

// The clush.conf of rexec(1).
const clushConf = `[Main]
fanout: 64
rsh_path: rexec
rsh_options: --status
`

var clushFailed = regexp.MustCompile(`(?m)^clush: (.*): exited with exit code (\d+)\n`)

func TestClush(t *testing.T) {
	h, env := cluster(t)
	conf := filepath.Join(t.TempDir(), "clush.conf")
	if err := os.WriteFile(conf, []byte(strings.Replace(clushConf, "--status", "--status -P "+h.port, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../cmd/rexec/rexec.1")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(clushConf) {
		if !slices.Contains(strings.Split(string(manual), "\n"), strings.TrimSpace(line)) {
			t.Errorf("rexec(1) does not show the line %q of clush.conf", strings.TrimSpace(line))
		}
	}
	clush := func(args ...string) *run {
		r := &run{args: append([]string{"clush", "--conf=" + conf, "-R", "rsh", "-w", "host[1-40]"}, args...), env: env}
		r.do(t)
		return r
	}
	r := clush(fewLines)
	eachHost(t, r.out.String(), someLines)
	if r.status != 0 || r.err.Len() > 0 {
		t.Errorf("status %d, stderr %q", r.status, r.err.String())
	}
	r = clush("-S", "echo err >&2; exit 7")
	if found := clushFailed.FindStringSubmatch(r.err.String()); r.status != 7 || found == nil || found[2] != "7" {
		t.Errorf("status %d, stderr %.300q; want 7 for all", r.status, r.err.String())
	}
	eachHost(t, clushFailed.ReplaceAllString(r.err.String(), ""), "err\n")
}
