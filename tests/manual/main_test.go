package manual

import (
	"os"
	"path/filepath"
	"testing"

	"rexecd/tests/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

const root = "../.."

func pages(t *testing.T) []string {
	t.Helper()
	found, err := Pages(root)
	if err != nil || len(found) < 5 {
		t.Fatalf("found the manuals %q, %v", found, err)
	}
	return found
}

func examples(t *testing.T, page string) []Example {
	t.Helper()
	found, err := Read(page)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
