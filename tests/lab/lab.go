// Package lab gives the end-to-end tests a whole host of their own: accounts, PAM, port 512 and
// daemons, gone afterwards.
//
// Each package of tests/ says
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
// and from then on runs as root of a throw-away copy of the machine, in which the binaries under
// test lie ready.
package lab

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed private-host
var privateHost string

//go:embed private-systemd
var privateSystemd string

// Variables that carry what was decided outside into the private host.
const (
	envInside = "REXEC_LAB"  // the name of the script we are in
	envServer = "REXECD_BIN" // a built in.rexecd; may be set by whoever runs the tests
	envClient = "REXEC_BIN"  // a built rexec; likewise
	envDebs   = "REXEC_DEBS" // directory of Debian packages; likewise
	envBroken = "REXEC_LAB_BROKEN"
)

// Main is TestMain: it runs the package's tests in a private host and ends the process with their
// status.
func Main(m *testing.M) { enter(m, "private-host", privateHost) }

// MainSystemd is Main with systemd as process 1 of the private host.
func MainSystemd(m *testing.M) { enter(m, "private-systemd", privateSystemd) }

func enter(m *testing.M, name, script string) {
	if signal.Ignored(syscall.SIGHUP) {
		// Under nohup(1): what is started from here on gets the default, which a shell needs to
		// trap it.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	flag.Parse()
	if os.Getenv(envInside) == name || flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	code, err := reenter(name, script)
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// reenter runs this test binary again, with the same arguments, inside script, and returns its
// exit status.
func reenter(name, script string) (int, error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("these tests need root, for namespaces and accounts of their own (nothing on the machine changes): run them with sudo")
	}
	dir, err := os.MkdirTemp("", "rexec-lab-")
	if err != nil {
		return 0, fmt.Errorf("make directory: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		return 0, fmt.Errorf("write script: %w", err)
	}
	exe, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find test binary: %w", err)
	}
	env, err := build(dir)
	if err != nil {
		return 0, err
	}
	bind := []string{filepath.Dir(exe), dir}
	if root := moduleRoot(); root != "" {
		bind = append(bind, root)
	}
	env = append(env, envInside+"="+name, "PRIVATE_HOST_BIND="+strings.Join(bind, ":"),
		"PRIVATE_HOST_ENV="+strings.Join([]string{envInside, envServer, envClient, envDebs,
			envBroken + "_" + envServer, envBroken + "_" + envClient, "CI", "GOCOVERDIR"}, ":"))
	// The script must not outlive a test binary that `go test` has killed. Pdeathsig is about the
	// thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("sh", append([]string{path, exe}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// unshare(1), which private-host becomes, ignores SIGTERM and takes its child along when
	// killed; private-systemd has to clean up.
	death := map[string]syscall.Signal{"private-host": syscall.SIGKILL, "private-systemd": syscall.SIGTERM}[name]
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: death}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", name, err)
	}
	return 0, nil
}

// Eventually waits until ok is true, and fails the test when it is not within Patience: a bound
// for a busy machine, not a measure. what completes the sentence "waited for …".
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", Patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Patience is how long anything that must happen may take on a busy machine.
const Patience = time.Minute
