package lab

import (
	"os"
	"testing"
)

// OpenDir makes a directory that everybody may write to; t.TempDir is for root alone. It lasts as
// long as the private host: a command may still use it when its test has ended.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "open")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o1777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Read returns a file's content, or "" while there is none.
func Read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}
