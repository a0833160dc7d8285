// Package client runs the built rexec against real servers, and under the
// programs that people run many rexecs with.
package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// alice is the account of these tests.
var alice = lab.User{Name: "alice", Password: "Open, Sesame!", Shell: "/bin/bash"}

// A host is a server that alice has an account on.
type host struct {
	name    string
	address string
	port    string
}

// hosts starts this project's server and Debian's netkit, on all addresses of
// loopback.
func hosts(t *testing.T) []host {
	t.Helper()
	if _, err := os.Stat("/home/alice"); err != nil {
		lab.AddUser(t, alice)
	}
	var all []host
	for _, server := range []struct{ name, path string }{{"in.rexecd", lab.Server(t)}, {"netkit", lab.Netkit(t)}} {
		listening := lab.Handler{Path: server.path, Address: "0.0.0.0"}.Start(t)
		_, port, err := net.SplitHostPort(listening.Addr)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, host{server.name, "127.0.0.1", port})
	}
	return all
}

// A run is a command line and what became of it.
type run struct {
	args     []string
	stdin    io.Reader
	env      []string
	out, err bytes.Buffer
	status   int
}

// rexec runs the built client as alice, with her password in the environment.
func rexec(t *testing.T, h host, stdin io.Reader, args ...string) *run {
	t.Helper()
	r := &run{args: append([]string{lab.Client(t), "-P", h.port}, args...), stdin: stdin, env: identity(t)}
	r.do(t)
	return r
}

func identity(t *testing.T) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "REXEC_USER=" + alice.Name, "REXEC_PASS=" + alice.Password}
}

// do runs any command line to its end.
func (r *run) do(t *testing.T) {
	t.Helper()
	cmd := exec.Command(r.args[0], r.args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.env, r.stdin, &r.out, &r.err
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal to ask on
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(6*lab.Patience, func() {
		t.Errorf("%q does not end", r.args)
		cmd.Process.Kill()
	})
	defer stuck.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Errorf("%q: %v", r.args, err)
	}
	r.status = cmd.ProcessState.ExitCode()
}

func (r *run) want(t *testing.T, out, errs string, status int) {
	t.Helper()
	if r.out.String() != out || r.err.String() != errs || r.status != status {
		t.Errorf("%q: output %.300q, stderr %.300q, status %d; want %.300q, %.300q, %d", r.args[1:], r.out.String(), r.err.String(), r.status, out, errs, status)
	}
}

// inHome is where alice's commands begin.
func inHome(file string) string {
	return fmt.Sprintf("/home/%s/%s", alice.Name, strings.TrimPrefix(file, "/"))
}
