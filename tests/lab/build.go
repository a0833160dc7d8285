package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// What the module builds, and how: the server needs cgo for PAM; the client and rexecd, which
// lies beside the server, must not use it.
var products = []struct{ env, path, cgo string }{
	{envServer, "cmd/rexecd", "0"},
	{envServer, "cmd/rexec-tlsd", "0"},
	{envServer, "cmd/in.rshd", "1"},
	{envServer, "cmd/in.rexecd", "1"}, // the variable names the last
	{envClient, "cmd/rsh", "0"},
	{envClient, "cmd/rexec", "0"},
}

// moduleRoot is the nearest directory above the current one with a go.mod, or "" for a test
// binary that runs elsewhere.
func moduleRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// Root returns the top of the source tree.
func Root(t testing.TB) string {
	t.Helper()
	root := moduleRoot()
	if root == "" {
		t.Fatal("the test runs outside of the source tree")
	}
	return root
}

// build makes the binaries that no variable names and returns the variables that name all of
// them. They are linked into dir, so that another package's build cannot replace them during the
// tests. A product that does not build is a failure only of the tests that ask for it.
func build(dir string) ([]string, error) {
	root := moduleRoot()
	if root == "" {
		return nil, nil
	}
	out := filepath.Join(root, "build", "lab")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	unlock, err := lock(filepath.Join(out, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	var env []string
	for _, p := range products {
		if os.Getenv(p.env) != "" {
			continue
		}
		name := filepath.Base(p.path)
		cmd := exec.Command("go", "build", "-o", filepath.Join(out, name), "./"+p.path)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+p.cgo)
		if text, err := cmd.CombinedOutput(); err != nil {
			env = append(env, envBroken+"_"+p.env+"="+fmt.Sprintf("build %s: %v\n%s", name, err, text))
			continue
		}
		bin := filepath.Join(dir, name)
		if err := os.Link(filepath.Join(out, name), bin); err != nil {
			if err := copyFile(bin, filepath.Join(out, name)); err != nil {
				return nil, err
			}
		}
		env = append(env, p.env+"="+bin)
	}
	// The directory is under /tmp with mode 0700, and a command of an ordinary user may have to
	// start the client.
	return env, os.Chmod(dir, 0o755)
}

// lock holds an exclusive lock on path until the function it returns is called: `go test ./...`
// runs packages at once.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("take lock: %w", err)
	}
	return func() { f.Close() }, nil
}

func copyFile(dst, src string) error {
	b, err := os.ReadFile(src)
	if err != nil {
		return fmt.Errorf("read binary: %w", err)
	}
	if err := os.WriteFile(dst, b, 0o755); err != nil {
		return fmt.Errorf("copy binary: %w", err)
	}
	return nil
}

// Server returns the path of in.rexecd, built from this module unless REXECD_BIN names another.
func Server(t testing.TB) string { t.Helper(); return product(t, envServer) }

// Rexecd returns the path of rexecd, which lies beside in.rexecd and starts it.
func Rexecd(t testing.TB) string { t.Helper(); return filepath.Join(filepath.Dir(Server(t)), "rexecd") }

// Rshd returns the path of in.rshd, which lies beside in.rexecd.
func Rshd(t testing.TB) string { t.Helper(); return filepath.Join(filepath.Dir(Server(t)), "in.rshd") }

// Rsh returns the path of rsh, which lies beside rexec.
func Rsh(t testing.TB) string { t.Helper(); return filepath.Join(filepath.Dir(Client(t)), "rsh") }

// Client returns the path of rexec, built from this module unless REXEC_BIN names another.
func Client(t testing.TB) string { t.Helper(); return product(t, envClient) }

func product(t testing.TB, env string) string {
	t.Helper()
	if path := os.Getenv(env); path != "" {
		return path
	}
	t.Fatalf("%s is not set and there is no build: %s", env, os.Getenv(envBroken+"_"+env))
	return ""
}
