package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// write writes files with their text, in order, and returns their directory.
func write(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDropInFilesOverrideKeyByKeyInTheOrderOfTheirNames(t *testing.T) {
	dir := write(t,
		"main", "grace = 1\nstderr_min_port = 1\n[penalties]\nmin = 1\nexempt = ['192.0.2.1']\n",
		"main.d/20-b.toml", "grace = 3\n\n[penalties]\nexempt = ['192.0.2.2']\n",
		"main.d/10-a.toml", "grace = 2\nstderr_min_port = 2\n[penalties]\nmax = 60\n",
		"main.d/.30.toml", "nonsense\n", "main.d/40.toml~", "nonsense\n", "main.d/README", "nonsense\n")
	s, from, err := readServer(dir+"/main", dir+"/main.d")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(s.Grace, s.Stderr.MinPort, s.Penalties.Min, s.Penalties.Max, s.Penalties.Exempt)
	if want := "3s 2 1s 1m0s [192.0.2.2/32]"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
	if want := []string{dir + "/main", dir + "/main.d/10-a.toml", dir + "/main.d/20-b.toml"}; fmt.Sprint(from.Files) != fmt.Sprint(want) {
		t.Errorf("read %v; want %v", from.Files, want)
	}
	want := map[string]string{
		"grace": `"3s" ` + dir + "/main.d/20-b.toml:1", "stderr_min_port": "2 " + dir + "/main.d/10-a.toml:2",
		"penalties.min": `"1s" ` + dir + "/main:4", "penalties.max": `"1m" ` + dir + "/main.d/10-a.toml:4",
		"penalties.exempt": `["192.0.2.2"] ` + dir + "/main.d/20-b.toml:4", "penalties.authfail": `"5s" default`, "keepalive": `"20s" default`,
	}
	for _, set := range s.Effective(from) {
		if want, ok := want[set.Key]; ok && set.Value+" "+set.Origin.String() != want {
			t.Errorf("%s = %s %v; want %s", set.Key, set.Value, set.Origin, want)
		}
		delete(want, set.Key)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}

func TestErrorsNameTheRightFile(t *testing.T) {
	for _, tt := range []struct{ main, dropIn, want string }{
		{"\ngrace = 0", "grace = 5", "/main:2:9: grace = 0: "},
		{"grace = 5", "# x\ngrace = 0", "/main.d/a.toml:2:9: grace = 0: "},
		{"grace = 5", "# x\ngrase = 0", "/main.d/a.toml:2:1: unknown setting "},
		{"grace = 5", "# x\ngrace 0", "/main.d/a.toml:2:7: expected"},
		{"[penalties]\nmin = 50", "\n[penalties]\n max = 40", "/main.d/a.toml:3:2: penalties.max = "},
		{"[penalties]\nmin = 700", "[penalties]\nauthfail = 1", "/main:2:1: penalties.max = "},
	} {
		dir := write(t, "main", tt.main, "main.d/a.toml", tt.dropIn)
		if _, _, err := readServer(dir+"/main", dir+"/main.d"); err == nil || !strings.HasPrefix(err.Error(), dir+tt.want) {
			t.Errorf("%q, %q: %v; want %s", tt.main, tt.dropIn, err, tt.want)
		}
	}
}

// A drop-in file may mend what another one sets: only the whole has to be right.
func TestAKeySetInTwoFilesIsNotSetTwice(t *testing.T) {
	dir := write(t, "main", "[penalties]\nmax = 10\n", "main.d/a.toml", "penalties.max = 20\n")
	if s, _, err := readServer(dir+"/main", dir+"/main.d"); err != nil || s.Penalties.Max != 20*time.Second {
		t.Error(err)
	}
}

func TestTheDefaultFilesMayBeAbsentButANamedFileMayNot(t *testing.T) {
	dir := write(t, "only.d/a.toml", "grace = 7\n")
	if s, from, err := readServer(dir+"/none", dir+"/none.d"); err != nil || s.Grace != time.Minute || len(from.Files) > 0 {
		t.Errorf("no files: %v", err)
	}
	if s, _, err := readServer(dir+"/only", dir+"/only.d"); err != nil || s.Grace != 7*time.Second {
		t.Errorf("drop-in files alone: %v", err)
	}
	if _, _, err := ReadServer(dir + "/none"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir+"/none") {
		t.Errorf("a named file that is absent: %v", err)
	}
	if s, err := ReadClient(dir + "/none"); err != nil || !reflect.DeepEqual(s, defaultClient()) {
		t.Errorf("the client's: %v", err)
	}
}

func TestANamedFileIsReadAlone(t *testing.T) {
	dir := write(t, "main", "grace = 5\n", "main.d/a.toml", "grace = 7\n")
	if s, _, err := ReadServer(dir + "/main"); err != nil || s.Grace != 5*time.Second {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	dir := write(t, "main", "grace = 5\n",
		"large", "# "+strings.Repeat("x", 1<<20-3)+"\n", "larger", "# "+strings.Repeat("x", 1<<20-2)+"\n",
		"dir.d/a.toml/x", "", "file.d", "", "loop.d/a.toml", "")
	if err := os.Remove(dir + "/loop.d/a.toml"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.toml", dir+"/loop.d/a.toml"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, dropIns, want string }{
		{"", "none", "read " + dir + "/: is a directory"},
		{"main/x", "none", "open " + dir + "/main/x: not a directory"},
		{"larger", "none", "read " + dir + "/larger: larger than 1 MiB"},
		{"main", "dir.d", "read " + dir + "/dir.d/a.toml: is a directory"},
		{"main", "file.d", "open " + dir + "/file.d: not a directory"},
		{"main", "loop.d", "open " + dir + "/loop.d/a.toml: too many levels of symbolic links"},
	} {
		if _, _, err := readServer(dir+"/"+tt.file, dir+"/"+tt.dropIns); err == nil ||
			!strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s, %s: %v; want %s", tt.file, tt.dropIns, err, tt.want)
		}
	}
	if _, _, err := ReadServer(dir + "/large"); err != nil {
		t.Error(err)
	}
}

// A drop-in file that is named and gone is not one that never was.
func TestADanglingDropInFileIsAnError(t *testing.T) {
	dir := write(t, "main", "", "main.d/b.toml", "")
	if err := os.Symlink("gone", dir+"/main.d/a.toml"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readServer(dir+"/main", dir+"/main.d"); err == nil || !strings.Contains(err.Error(), "/main.d/a.toml") {
		t.Error(err)
	}
}

func TestAnEmptyFileCostsNoDecoding(t *testing.T) {
	made := func() table {
		t.Error("a table for a file of comments")
		return nil
	}
	from := Sources{}
	if err := from.read("../../packaging/rexecd.toml", made); err != nil || len(from.Files) != 1 {
		t.Errorf("%v, %v", from.Files, err)
	}
	text := []byte("\ufeff" + readText(t, "../../packaging/rexecd.toml"))
	if n := testing.AllocsPerRun(100, func() { setsAnything(text) }); n > 0 {
		t.Errorf("%v allocations for a file of comments", n)
	}
}
