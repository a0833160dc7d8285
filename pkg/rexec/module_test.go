package rexec_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands that README.md gives, in a new module, with no network and an empty
// module cache; and README's program.
func TestAProgramOfAnotherModuleBuilds(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile(`(?m)^    go mod edit .*-replace=rexecd=/usr/src/rexecd\n`).FindString(string(text))
	use := regexp.MustCompile(`(?m)^    client := &rexec\.Client{.*\n    out, err := .*\n`).FindString(string(text))
	if steps == "" || use == "" {
		t.Fatalf("README.md has no commands (%q) or no program (%q)", steps, use)
	}
	program := "package main\n\nimport (\n\"context\"\n\"fmt\"\n\"rexecd/pkg/rexec\"\n)\n\nfunc main() {\nctx, password := context.Background(), \"\"\n" +
		use + "fmt.Println(out, err)\n}\n"
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/main.go", []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-ec", "go mod init example.org/program\n"+strings.ReplaceAll(steps, "/usr/src/rexecd", root)+"go build -o program .")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false", "GOMODCACHE="+dir+"/none")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, out, program)
	}
	if _, err := os.Stat(dir + "/program"); err != nil {
		t.Error(err)
	}
}
