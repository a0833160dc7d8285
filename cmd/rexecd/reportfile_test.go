package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// /dev/stdout is a link like this one. Root may write to /dev: the link became a
// file there.
func TestALinkToAnOpenFileIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	io.WriteString(out, "before\n")
	link := filepath.Join(dir, "stdout")
	if err := os.Symlink("/proc/self/fd/"+strconv.Itoa(int(out.Fd())), link); err != nil {
		t.Fatal(err)
	}
	hello := func(w io.Writer) error { _, err := io.WriteString(w, "hello\n"); return err }
	if err := replaceFile(os.Stdout, link, 0o600, hello); err != nil {
		t.Error(err)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", st, err)
	}
	if text, err := os.ReadFile(out.Name()); string(text) != "before\nhello\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// Whoever may put links into the directory must not choose which file is overwritten.
func TestALinkToAFileIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	precious, link := filepath.Join(dir, "precious"), filepath.Join(dir, "rexec.prom")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, link); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(os.Stdout, link, 0o644, func(w io.Writer) error { return nil }); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(precious); string(text) != "x" {
		t.Errorf("behind the link are %q, %v", text, err)
	}
	if st, err := os.Lstat(link); err != nil || !st.Mode().IsRegular() {
		t.Errorf("the link is %v, %v", st, err)
	}
}
