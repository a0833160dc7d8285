package settings

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const stranger = 54321

func TestAFileThatOthersCanChangeIsReported(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	for _, tt := range []struct {
		name string
		do   func(dir string) error
		want string // after the directory; none if empty
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"group", func(dir string) error { return os.Chmod(dir+"/a/main", 0o664) }, "/a/main has mode 0664, "},
		{"everybody", func(dir string) error { return os.Chmod(dir+"/a/main", 0o602) }, "/a/main has mode 0602, "},
		{"another owner", func(dir string) error { return os.Chown(dir+"/a/main", stranger, 0) }, "/a/main belongs to uid 54321, "},
		{"another group", func(dir string) error { return os.Chown(dir+"/a/main", 0, stranger) }, ""},
		{"its directory", func(dir string) error { return os.Chmod(dir+"/a", 0o777) }, "/a has mode 0777, "},
		{"its directory's owner", func(dir string) error { return os.Chown(dir+"/a", stranger, 0) }, "/a belongs to uid 54321, "},
		{"a sticky directory", func(dir string) error { return os.Chmod(dir+"/a", 0o777|os.ModeSticky) }, ""},
		{"the directory of drop-in files", func(dir string) error { return os.Chmod(dir+"/a/main.d", 0o775) }, "/a/main.d has mode 0775, "},
		{"an empty directory of drop-in files", func(dir string) error {
			return first(os.Remove(dir+"/a/main.d/x.toml"), os.Chmod(dir+"/a/main.d", 0o757))
		}, "/a/main.d has mode 0757, "},
		{"a drop-in file", func(dir string) error { return os.Chmod(dir+"/a/main.d/x.toml", 0o646) }, "/a/main.d/x.toml has mode 0646, "},
		{"no drop-in file", func(dir string) error { return os.Chmod(dir+"/a/main.d/x", 0o666) }, ""},
		{"a link's target", func(dir string) error { return link(dir, "../b/file", 0o666) }, "/b/file has mode 0666, "},
		{"a link's target's directory", func(dir string) error {
			return first(os.Chown(dir+"/b", stranger, 0), link(dir, dir+"/b/file", 0o644))
		}, "/b belongs to uid 54321, "},
		{"a link on the way to the target", func(dir string) error {
			return first(os.Mkdir(dir+"/c", 0o755), os.Chown(dir+"/c", stranger, 0),
				os.Symlink("../b/./file", dir+"/c/link"), link(dir, "../c/link", 0o644))
		}, "/c belongs to uid 54321, "},
		{"a link that leads to a good file", func(dir string) error { return link(dir, "../b/file", 0o644) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, "a/main", "", "a/main.d/x.toml", "", "a/main.d/x", "", "b/file", "")
			if err := tt.do(dir); err != nil {
				t.Fatal(err)
			}
			_, from, err := readServer(dir+"/a/main", dir+"/a/main.d")
			if err != nil {
				t.Fatal(err)
			}
			found := from.Writable()
			if tt.want == "" && len(found) > 0 {
				t.Error(found)
			} else if tt.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0].Error(), dir+tt.want)) {
				t.Errorf("found %v; want %s", found, tt.want)
			}
		})
	}
}

// link has the main file lead to b/file, with a mode.
func link(dir, target string, mode os.FileMode) error {
	return first(os.Remove(dir+"/a/main"), os.Symlink(target, dir+"/a/main"), os.Chmod(dir+"/b/file", mode))
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestALoopOfLinksIsReported(t *testing.T) {
	dir := write(t)
	if err := os.Symlink("loop", dir+"/loop"); err != nil {
		t.Fatal(err)
	}
	if got := (Sources{Files: []string{dir + "/loop"}}).Writable(); len(got) != 1 ||
		!strings.Contains(fmt.Sprint(got), "symbolic links") {
		t.Errorf("%v", got)
	}
}
