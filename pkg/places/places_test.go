package places

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A process of its own holds a place: locks belong to processes.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PLACES_TEST"); dir != "" {
		_, err := Acquire(dir, "x", 7, 2)
		fmt.Println(err)
		io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

// hold starts a process that takes a place, and returns what Acquire said.
func hold(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PLACES_TEST="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestPlacesAreCountedAcrossProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	first, said := hold(t, dir)
	if said != "<nil>" {
		t.Fatal(said)
	}
	if _, said := hold(t, dir); said != "<nil>" {
		t.Fatal(said)
	}
	if _, said := hold(t, dir); said != ErrFull.Error() {
		t.Errorf("the third of two places: %s", said)
	}
	if _, err := Acquire(dir, "x", 7, 2); !errors.Is(err, ErrFull) {
		t.Errorf("the third of two places: %v", err)
	}
	for _, other := range []struct {
		name   string
		holder uint32
	}{{"x", 8}, {"x", 6}, {"x", 1<<32 - 1}, {"y", 7}} {
		p, err := Acquire(dir, other.name, other.holder, 1)
		if err != nil {
			t.Errorf("%+v: %v", other, err)
		}
		p.Release()
	}
	first.Process.Kill()
	first.Wait()
	p, err := Acquire(dir, "x", 7, 2)
	if err != nil {
		t.Fatalf("after a holder was killed: %v", err)
	}
	if _, said := hold(t, dir); said != ErrFull.Error() {
		t.Errorf("the freed place was given twice: %s", said)
	}
	p.Release()
	p.Release()
	if _, said := hold(t, dir); said != "<nil>" {
		t.Errorf("after Release: %s", said)
	}
}

func TestAForkedChildKeepsNoPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	p, err := Acquire(dir, "x", 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(p.fd), "place")} // as after a fork without exec
	in, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); child.Wait() }()
	if _, said := hold(t, dir); said != "<nil>" { // one of two is free
		t.Fatal(said)
	}
	p.Release()
	if _, said := hold(t, dir); said != "<nil>" {
		t.Errorf("a child that has the descriptor keeps the place: %s", said)
	}
}

func TestNamesOfCountersStayInTheirDirectory(t *testing.T) {
	for name, want := range map[string]string{
		"sessions": "places-sessions", "../x": "places-%2e%2e%2fx", "rule/a b\x00\n": "places-rule%2fa%20b%00%0a", "": "places-",
	} {
		if got := fileName(name); got != want {
			t.Errorf("%q lies in %q; want %q", name, got, want)
		}
	}
}

func TestWhatAnotherUserPutThereIsNotUsed(t *testing.T) {
	for name, put := range map[string]func(dir string) error{
		"a link": func(dir string) error { return os.Symlink("/dev/null", dir+"/places-x") },
		"a link for the directory": func(dir string) error {
			return errors.Join(os.Remove(dir), os.Symlink("/tmp", dir))
		},
		"a pipe": func(dir string) error { return exec.Command("mkfifo", "-m", "600", dir+"/places-x").Run() },
		"an open file": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/places-x", nil, 0o600), os.Chmod(dir+"/places-x", 0o606))
		},
		"a file with a second name": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/places-x", nil, 0o600), os.Link(dir+"/places-x", dir+"/other"))
		},
		"an open directory": func(dir string) error { return os.Chmod(dir, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := errors.Join(os.Mkdir(dir, 0o700), put(dir)); err != nil {
				t.Fatal(err)
			}
			if p, err := Acquire(dir, "x", 7, 2); err == nil || errors.Is(err, ErrFull) {
				t.Errorf("Acquire took %+v, %v", p, err)
			}
		})
	}
}

func TestAMissingDirectoryIsAnErrorThatNamesIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "no", "run")
	if _, err := Acquire(dir, "x", 7, 2); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
}
