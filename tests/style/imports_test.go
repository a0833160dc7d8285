package style

import (
	"slices"
	"strings"
	"testing"
)

// imports are what each package below pkg may import of this module: DESIGN.md.
// A package that is not listed imports nothing of it.
var imports = map[string][]string{
	"pkg/policy":        {"pkg/policy/regex"},
	"pkg/rexec":         {"pkg/rexec/wire"},
	"pkg/report/render": {"pkg/report"},
	"pkg/rexecd": {
		"pkg/audit", "pkg/inetd", "pkg/login", "pkg/passwd", "pkg/penalty", "pkg/places", "pkg/policy", "pkg/proxy", "pkg/relay",
		"pkg/rexec/wire", "pkg/session", "pkg/settings",
	},
	"pkg/rexecd/rules": {"pkg/policy", "pkg/settings"},
}

func TestLeavesDoNotImportEachOther(t *testing.T) {
	_, all := sources(t)
	packages := map[string]bool{}
	for _, s := range all {
		if !strings.HasPrefix(s.dir, "pkg/") {
			continue
		}
		packages[s.dir] = true
		for _, dir := range s.uses() {
			outside := s.test && (dir == s.dir || strings.HasPrefix(dir, "tests/"))
			if !outside && !slices.Contains(imports[s.dir], dir) {
				t.Errorf("%s imports %s", s.name, dir)
			}
		}
	}
	for dir := range imports {
		if !packages[dir] {
			t.Errorf("there is no package %s", dir)
		}
	}
}

// Only the recipe, and the program that sets it up, know PAM.
func TestOnlyLoginImportsPAM(t *testing.T) {
	_, all := sources(t)
	found := false
	for _, s := range all {
		for _, spec := range s.ast.Imports {
			if s.test || !strings.Contains(spec.Path.Value, "msteinert/pam") {
				continue
			}
			found = true
			if s.dir != "pkg/login" {
				t.Errorf("%s imports %s", s.name, spec.Path.Value)
			}
		}
	}
	if !found {
		t.Error("no package imports PAM")
	}
}
