package attack

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that SECURITY.md names exists, where it says, and so do its files.
func TestEveryClaimInSecurityMdNamesATestThatExists(t *testing.T) {
	t.Parallel()
	where := map[string]string{} // a test's name to its folders
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../../build") {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(read(path), -1) {
			where[m[1]] += " " + strings.TrimPrefix(filepath.Dir(path), "../../") + " "
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text := read("../../SECURITY.md")
	named := regexp.MustCompile("`(?:((?:pkg|cmd|tests)/[\\w./]+) )?((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(text, -1)
	if len(named) < 50 {
		t.Errorf("SECURITY.md names %d tests", len(named))
	}
	for _, m := range named {
		folder := m[1]
		if folder == "" {
			folder = "tests/attack"
		}
		if !strings.Contains(where[m[2]], " "+folder+" ") {
			t.Errorf("SECURITY.md names %s in %s; it is in %q", m[2], folder, where[m[2]])
		}
	}
}
