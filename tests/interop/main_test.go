// Package interop runs other people's clients, scanners, servers, proxies and gateways together
// with the built in.rexecd and rexec. `make check-interop` fetches them.
package interop

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "6") // most tests wait for something
	lab.Main(m)
}

// bound is how long a client may take to its end, whatever happens: what takes longer is taken
// for hanging. GNU's client gives up by itself after 5 s, the server gives up dialling after 10.
const bound = lab.Patience

var alice = lab.User{Name: "alice", Password: "Open, Sesame!"}

// homeless has an account with no home directory.
var homeless = lab.User{Name: "homeless", Password: "Open, Sesame!", Home: "/nowhere"}

var host struct {
	sync.Once
	err error
}

// prepare makes the private host ready: accounts, and the packages that fetch unpacked laid over
// its files.
func prepare(t testing.TB) {
	t.Helper()
	host.Do(func() {
		lab.AddUser(t, alice)
		lab.AddUser(t, homeless)
		if _, err := os.Stat("../../build/interop/packages"); err != nil {
			host.err = errors.New("build/interop has no packages: run make interop-deps")
			return
		}
		// Links, so that nothing is copied; what the machine has itself stays. liblinear's BLAS
		// is found by an alternative, which a maintainer script would make.
		out, err := exec.Command("sh", "-euc", `for d in "$PWD"/../../build/interop/root/*/; do
			cp -rsn "$d." "/$(basename "$d")/"; done
			ls -d /usr/lib/*/blas >/etc/ld.so.conf.d/blas.conf; ldconfig`).CombinedOutput()
		if err != nil {
			host.err = errors.New(err.Error() + ": " + string(out))
		}
	})
	if host.err != nil {
		t.Fatal(host.err)
	}
}

// one returns the only file of a pattern, or the first of several.
func one(t testing.TB, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no file %s, %v", pattern, err)
	}
	return found[0]
}

// A result is what a program printed and how it ended.
type result struct {
	out, err string
	status   int
	took     time.Duration
}

// run runs a program to its end, in a network namespace if there is one. A program that does not
// end within the bound fails the test.
func run(t testing.TB, namespace, stdin string, args ...string) result {
	t.Helper()
	return runFor(t, bound, namespace, stdin, args...)
}

func runFor(t testing.TB, bound time.Duration, namespace, stdin string, args ...string) result {
	t.Helper()
	r, ended := attempt(t, bound, namespace, stdin, args...)
	if !ended {
		t.Errorf("%.200q hangs: no end after %v; until then output %.500q, errors %.500q", args, bound, r.out, r.err)
	}
	return r
}

// attempt is run for a program that may hang, and reports whether it ended by itself.
func attempt(t testing.TB, bound time.Duration, namespace, stdin string, args ...string) (result, bool) {
	t.Helper()
	cmd := command(t, t.Context(), namespace, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return result{}, false
	}
	stuck := time.AfterFunc(bound, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	cmd.Wait()
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode(), time.Since(start)}, stuck.Stop()
}

// command is a program in a session of its own, so that none asks on a terminal, and in a network
// namespace if any.
func command(t testing.TB, ctx context.Context, namespace string, args ...string) *exec.Cmd {
	t.Helper()
	if namespace != "" {
		args = append([]string{"ip", "netns", "exec", namespace}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// daemon starts a program that runs until the test ends.
func daemon(t testing.TB, namespace string, args ...string) {
	t.Helper()
	cmd := command(t, context.Background(), namespace, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%q said %.2000q", args, out.String())
		}
	})
}

// listening waits until a port of an address accepts connections, without making one.
func listening(t testing.TB, namespace string, port int) {
	t.Helper()
	lab.Eventually(t, "a listener on port "+strconv.Itoa(port), func() bool {
		args := []string{"ss", "-Hltn", "sport", "=", strconv.Itoa(port)}
		out, _ := command(t, t.Context(), namespace, args...).Output()
		return len(out) > 0
	})
}

var (
	addresses sync.Mutex
	last      byte
)

// address gives the host one more address. Traffic to it comes from it too, so that each is a
// source of its own for the server's penalties.
func address(t testing.TB) string {
	t.Helper()
	addresses.Lock()
	defer addresses.Unlock()
	last++
	a := "198.51.100." + strconv.Itoa(int(last))
	lab.Run(t, "ip", "address", "add", a+"/32", "dev", "lo")
	return a
}

// serve starts the server under test on an address of its own.
func serve(t testing.TB, settings string) (*lab.Listening, target) {
	t.Helper()
	return handle(t, lab.Handler{Path: lab.Server(t), Settings: settings, Address: address(t)})
}

func handle(t testing.TB, h lab.Handler) (*lab.Listening, target) {
	t.Helper()
	s := h.Start(t)
	return s, at(t, s.Addr)
}

// A target is where a client is to go, and from where.
type target struct {
	namespace  string
	host, port string
}

func at(t testing.TB, addr string) target {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return target{"", host, port}
}
