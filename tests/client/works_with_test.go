package client

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/client/scripted"
	"rexecd/tests/lab"
)

// A system is one line of README's "works with".
type system struct {
	name     string
	port     string
	options  string // that its users need
	password string
	real     bool
}

// systems starts the real servers and those that are played.
func systems(t *testing.T) []system {
	t.Helper()
	all := []system{{name: "this server", real: true}, {name: "Debian's netkit 0.17 (rsh-server)", real: true}}
	for n, h := range hosts(t) {
		all[n].port, all[n].password = h.port, alice.Password
	}
	gnu := lab.Handler{Path: lab.Inetutils(t, "rexecd"), Address: "0.0.0.0"}.Start(t)
	_, port, err := net.SplitHostPort(gnu.Addr)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, system{name: "GNU inetutils 2.4", port: port, password: alice.Password, real: true})
	for _, played := range []struct{ way, name, options string }{
		{"4.4bsd", "4.4BSD ¹", ""},
		{"late", "OpenBSD, netkit 0.09 ¹", "-q late-stderr"},
		{"hpux", "HP-UX ¹", ""},
		{"aix", "AIX ¹", ""},
		{"openvms", "OpenVMS ¹", ""},
		{"nuttx", "NuttX ¹", "-a -c -q no-status"},
		{"firewall", "any, behind a firewall ¹", "--stderr auto"},
	} {
		server, err := scripted.Start(played.way)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Stop)
		all = append(all, system{name: played.name, port: server.Port(), options: played.options, password: "pw"})
	}
	return all
}

// rexec runs the client with the options of the system's users.
func (s system) rexec(t *testing.T, stdin []byte, args ...string) *run {
	t.Helper()
	line := append([]string{lab.Client(t), "-P", s.port, "127.0.0.1"}, strings.Fields(s.options)...)
	r := &run{args: append(line, args...), stdin: bytes.NewReader(stdin), env: append(identity(t), "REXEC_PASS="+s.password)}
	r.do(t)
	return r
}

// tries are the columns: each runs commands and says what was found.
var tries = []struct {
	name string
	try  func(*testing.T, system) string
}{
	{"bytes both ways", func(t *testing.T, s system) string {
		data := make([]byte, 1<<20)
		rand.Read(data)
		data[0] = 0 // nothing is taken for a status byte
		command, found := "cat", "yes"
		if strings.Contains(s.options, "-c") { // cat would wait for ever
			command, found = fmt.Sprintf("head -c %d", len(data)), "yes, but no end of input"
		}
		if r := s.rexec(t, data, command); !bytes.Equal(r.out.Bytes(), data) || r.status != 0 {
			return "no"
		}
		return found
	}},
	{"standard error", func(t *testing.T, s system) string {
		switch r := s.rexec(t, nil, "echo out; echo err >&2"); {
		case r.out.String() == "out\n" && r.err.String() == "err\n":
			return "separate"
		case r.out.String() == "out\nerr\n" && r.err.Len() == 0:
			return "mixed in"
		case r.out.String() == "out\n" && r.err.Len() == 0:
			return "stays there"
		default:
			return fmt.Sprintf("%q %q", r.out.String(), r.err.String())
		}
	}},
	{"signals", func(t *testing.T, s system) string {
		if strings.Contains(s.options, "-a") {
			return "no"
		}
		h := host{address: "127.0.0.1", port: s.port}
		options := append(strings.Fields(s.options), "-p", s.password, `trap "echo USR1; exit" USR1; echo ready; for n in $(seq 80); do sleep 0.1; done`)
		cmd, lines := start(t, h, options...)
		cmd.Process.Signal(syscall.SIGUSR1)
		line, _ := lines.ReadString('\n')
		cmd.Wait()
		return yes(line == "USR1\n")
	}},
	{"exit status", func(t *testing.T, s system) string {
		return yes(s.rexec(t, nil, "--status", "exit 7").status == 7)
	}},
	{"at a second address", func(t *testing.T, s system) string {
		if !s.real {
			return "-"
		}
		if s.rexec(t, nil, "true").status != 0 {
			return "nothing works"
		}
		other := func(args ...string) int {
			r := &run{args: append([]string{lab.Client(t), "-P", s.port, "127.0.0.5"}, args...),
				env: append(identity(t), "REXEC_PASS="+s.password)}
			r.do(t)
			return r.status
		}
		switch {
		case other("true") == 0:
			return "yes"
		case other("--stderr-from", "127.0.0.1", "true") == 0:
			return "`--stderr-from`"
		}
		return "no"
	}},
	{"a wrong password", func(t *testing.T, s system) string {
		r := s.rexec(t, nil, "-p", "wrong", "true")
		text := strings.TrimSuffix(strings.TrimPrefix(r.err.String(), "rexec: 127.0.0.1: "), "\n")
		switch {
		case r.status == 0:
			return "asks for none"
		case r.status != 1:
			return fmt.Sprintf("status %d, %s", r.status, text)
		case strings.HasPrefix(text, "the server closed"):
			return "silence, reported"
		}
		return "“" + text + "”"
	}},
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// TestWorksWith makes the table by trying, writes it to build/works-with.md,
// and holds README against it.
func TestWorksWith(t *testing.T) {
	settings := "/etc/rexec.toml" // of the private host
	if err := os.WriteFile(settings, []byte("stderr_timeout = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(settings)
	var table strings.Builder
	table.WriteString("| server | options |")
	for _, column := range tries {
		table.WriteString(" " + column.name + " |")
	}
	table.WriteString("\n|---|---|" + strings.Repeat("---|", len(tries)) + "\n")
	for _, s := range systems(t) {
		options := ""
		if s.options != "" {
			options = "`" + s.options + "`"
		}
		fmt.Fprintf(&table, "| %s | %s |", s.name, options)
		for _, column := range tries {
			table.WriteString(" " + column.try(t, s) + " |")
		}
		table.WriteString("\n")
	}
	path := filepath.Join("..", "..", "build", "works-with.md")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(table.String()), 0o644); err != nil {
		t.Error(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- works-with -->\n")
	if shown, _, _ := strings.Cut(rest, "<!-- /works-with -->"); shown != table.String() {
		t.Errorf("README.md does not have what this run found; it is in build/works-with.md:\n%s", table.String())
	}
}
