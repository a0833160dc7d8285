package release

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copySource gives dir the committed source, or that of an unpacked tarball.
func copySource(t *testing.T, dir string) {
	t.Helper()
	run(t, root, nil, "sh", "-c", `{ git ls-files 2>/dev/null | grep . || find . -type f -not -path './build/*' -not -path './dist/*'; } | cpio --quiet -pdm "$1"`, "sh", dir)
}

// Distributions set their flags in the environment: ours must not replace them, and theirs must
// come last.
func TestTheFlagsOfADistributionAreHonoured(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b") // a blank in the path, as well
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	copySource(t, dir)
	run(t, dir, []string{"CGO_CFLAGS=-O1 -Wp,-D_FORTIFY_SOURCE=3 -Werror", "CGO_LDFLAGS=-Wl,-rpath,/probe", "GOFLAGS=-buildvcs=false -tags=probe"},
		"make", "-s", "build/in.rexecd", "GO_STRIP=", "GO_LDFLAGS=-X main.version=theirs")
	f, err := elf.Open(dir + "/build/in.rexecd")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	paths, _ := f.DynString(elf.DT_RUNPATH)
	if rpath, _ := f.DynString(elf.DT_RPATH); !slices.Contains(append(paths, rpath...), "/probe") {
		t.Errorf("CGO_LDFLAGS=-Wl,-rpath,/probe made paths %q, %q", paths, rpath)
	}
	if now, err := f.DynValue(elf.DT_FLAGS); err != nil || len(now) != 1 || elf.DynFlag(now[0])&elf.DF_BIND_NOW == 0 {
		t.Errorf("CGO_LDFLAGS took our own flags away: DT_FLAGS %v, %v", now, err)
	}
	if f.Section(".debug_info") == nil && f.Section(".zdebug_info") == nil {
		t.Error("GO_STRIP= left no debugging information")
	}
	if out := run(t, dir, nil, "go", "version", "-m", "build/in.rexecd"); !strings.Contains(out, "-tags=probe") {
		t.Errorf("GOFLAGS=-tags=probe is not in\n%s", out)
	}
	if out := run(t, dir, nil, "build/in.rexecd", "-version"); !strings.Contains(out, "theirs") {
		t.Errorf("GO_LDFLAGS=-X main.version=theirs made %q", out)
	}
}

func TestMakeSaysWhichGoItNeeds(t *testing.T) {
	old := filepath.Join(t.TempDir(), "go")
	if err := os.WriteFile(old, []byte("#!/bin/sh\necho go version go1.19.8 linux/amd64\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ command, want string }{
		{"/nowhere/go", `rexecd needs Go 1.24.0 or later, and "/nowhere/go" does not run`},
		{old, `rexecd needs Go 1.24.0 or later, and "` + old + `" is go1.19.8`},
	} {
		cmd := exec.Command("make", "-s", "build", "GO="+tt.command)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), tt.want) {
			t.Errorf("make build GO=%s: %v\n%s\nwant it to begin with %s", tt.command, err, out, tt.want)
		}
	}
}
