package title

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// child is this test in a process of its own, whose arguments and environment are
// the room for the title.
func child(t *testing.T, args, env []string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args, cmd.Env = append([]string{"in.rexecd"}, args...), env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestMain(m *testing.M) {
	if os.Args[0] != "in.rexecd" {
		os.Exit(m.Run())
	}
	before, args := os.Environ(), slices.Clone(os.Args)
	size := len(shown()) // of what the kernel laid out
	begin := time.Now()
	Set(os.Getenv("TITLE"))
	took := time.Since(begin)
	same := slices.Equal(os.Environ(), before) && slices.Equal(os.Args, args)
	comm, _ := os.ReadFile("/proc/self/comm")
	fmt.Printf("%q %v %d %d %s", shown(), same, took.Nanoseconds(), size, comm)
	os.Exit(0)
}

func shown() []byte {
	text, _ := os.ReadFile("/proc/self/cmdline")
	return text
}

func TestTheTitleIsShownAndNothingElseChanges(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  []string
		env   []string
		title string
		want  string // "": the title
	}{
		{name: "shorter than the arguments", args: []string{"-config", "/a/long/path/of/settings.toml", "-m"}, title: "in.rexecd: al [::1]"},
		{name: "longer", args: []string{"-m"}, env: []string{"PATH=/usr/bin:/bin", "LANG=C"}, title: "in.rexecd: alice [192.0.2.7]"},
		{name: "as long as the arguments", args: []string{"1234567"}, env: []string{"A=1", "B=2"}, title: "in.rexecd: 1234567"},
		{name: "one less", args: []string{"1234567"}, env: []string{"A=1", "B=2"}, title: "in.rexecd: 123456"},
		{name: "one more", args: []string{"1234567"}, env: []string{"A=1", "B=2"}, title: "in.rexecd: 12345678"},
		{name: "with no room", title: "in.rexecd: " + strings.Repeat("x", 300), want: "in.rexecd\x00TITLE="},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := append(c.env, "TITLE="+c.title)
			fields := strings.Fields(child(t, c.args, env))
			quoted := strings.Join(fields[:len(fields)-4], " ")
			text, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatal(quoted, err)
			}
			got, want := strings.TrimRight(text, "\x00"), c.title
			if c.want != "" { // cut, within what was there
				room := len("in.rexecd\x00TITLE=") + len(c.title)
				want = c.title[:min(len(c.title), room)]
			}
			if got != want {
				t.Errorf("the kernel shows %q; want %q", got, want)
			}
			if fields[len(fields)-4] != "true" {
				t.Error("the environment or the arguments are others now")
			}
		})
	}
}

func TestPAMsModulesKeepTheirEnvironment(t *testing.T) {
	program := filepath.Join(t.TempDir(), "environ")
	if out, err := exec.Command("cc", "-Wall", "-Wextra", "-o", program, "testdata/environ.c", "title.c").CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	for name, want := range map[string]string{"FIRST": "1", "LAST": "the last", "GONE": "(none)", "ABSENT": "(none)"} {
		cmd := exec.Command(program, name)
		cmd.Env = []string{"FIRST=1", "GONE=2", "LAST=the last"}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want+" yes gone\n" {
			t.Errorf("%s: %q, %v; want %q", name, out, err, want)
		}
	}
}

// Each connection pays for it once. The best of many tells what it costs.
func TestTheTitleCostsLessThanTenMicroseconds(t *testing.T) {
	var env []string
	for i := range 25 { // more than systemd gives
		env = append(env, fmt.Sprintf("VARIABLE_%d=%s", i, bytes.Repeat([]byte("v"), 40)))
	}
	best := time.Hour
	for range 20 {
		fields := strings.Fields(child(t, nil, append(env, "TITLE=in.rexecd: alice [192.0.2.7]")))
		n, err := strconv.Atoi(fields[len(fields)-3])
		if err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Duration(n))
	}
	t.Logf("%v", best)
	if best > 10*time.Microsecond {
		t.Errorf("it takes %v", best)
	}
}
