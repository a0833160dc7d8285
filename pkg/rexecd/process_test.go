package rexecd

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/policy"
	"rexecd/pkg/settings"
)

// Serve belongs to a process of its own, whose first thread it runs on: the test
// binary is started again for each connection, with the connection as descriptor
// 0, as a super-server would.
func init() {
	if os.Getenv("REXECD_TEST") != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if config := os.Getenv("REXECD_TEST"); config != "" {
		os.Exit(serveAlone(config))
	}
	os.Exit(m.Run())
}

func serveAlone(config string) int {
	var s Server
	if err := json.Unmarshal([]byte(config), &s.Config); err != nil {
		return 3
	}
	if _, err := policy.Compile(s.Config.Rules); err != nil {
		return 3
	}
	if os.Getenv("REXECD_TEST_TEXTS") != "" {
		reword(&diagnostics)
	}
	console, err := os.OpenFile(os.Getenv("REXECD_TEST_LOG"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 3
	}
	s.Log = &audit.Log{Console: console}
	if len(os.Args) > 1 {
		return reportAlone(&s)
	}
	conn, err := inetd.Take()
	if err != nil {
		return 3
	}
	s.Reporter, s.Stderr = []string{os.Args[0], "-record"}, 2
	s.Serve(conn, nil)
	return 0
}

// reportAlone is the process that reports for one that hangs.
func reportAlone(s *Server) int {
	text, err := io.ReadAll(io.NewSectionReader(os.Stdin, 0, 1<<20))
	if err != nil {
		return 3
	}
	status, err := s.Report(text)
	if err != nil {
		return 3
	}
	return status
}

// wait bounds what must happen, on a busy machine too.
const wait = 20 * time.Second

// A served is a connection that is being served.
type served struct {
	*net.TCPConn
	cmd *exec.Cmd
	log string
}

const permit = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"

// begin starts a process for one connection, with the default settings but for
// those that change sets, and without delays.
func begin(t *testing.T, change func(*Config), stack string) *served {
	t.Helper()
	config := DefaultConfig()
	config.Penalties, config.RefusalDelay = nil, time.Millisecond
	if change != nil {
		change(&config)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"rexec": stack, "other": "auth required pam_deny.so\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if config.PAM.ConfDir == "" {
		config.PAM.ConfDir = dir
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(wait))
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	f, err := theirs.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &served{TCPConn: c.(*net.TCPConn), log: filepath.Join(dir, "log")}
	r.cmd = exec.Command(os.Args[0])
	r.cmd.Env = []string{"REXECD_TEST=" + string(text), "REXECD_TEST_LOG=" + r.log, "GOCOVERDIR=" + dir, "REXECD_TEST_TEXTS=" + os.Getenv("REXECD_TEST_TEXTS"),
		"GORACE=atexit_sleep_ms=0"} // or the race detector has the reporter take a second
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = f, f, f
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	})
	return r
}

// status waits for the process's end.
func (r *served) status(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(wait, func() { r.cmd.Process.Kill() })
	defer timer.Stop()
	r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// lines are the log's, without the time; they are complete when the process has ended.
func (r *served) lines(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(r.log)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	_, port, _ := net.SplitHostPort(r.LocalAddr().String())
	for line := range strings.Lines(string(text)) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines = append(lines, strings.Replace(line, " from 127.0.0.1 port "+port, " FROM", 1))
	}
	return lines
}

// all reads to the end of a connection. A reset is one, too.
func all(c io.Reader) string {
	var b bytes.Buffer
	io.Copy(&b, c)
	return b.String()
}

// me is who runs the tests: the only one whom a process without root can serve.
func me(t *testing.T) string {
	t.Helper()
	u, err := osuser.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("needs root")
	}
	t.Skip("needs root: without it no PAM session is opened")
}

// ask sends the four fields and what follows them.
func (r *served) ask(port, user, password, command string) {
	r.Write([]byte(port + "\x00" + user + "\x00" + password + "\x00" + command + "\x00"))
}

// DefaultConfig is the settings where rexecd.toml(5) sets none.
func DefaultConfig() Config { return NewConfig(settings.DefaultServer()) }
