// Package style tests the rules for the source itself, which no compiler knows.
package style

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is the prefix of this module's import paths.
const module = "rexecd/"

// A source is one Go file.
type source struct {
	name string // from the top of the tree
	dir  string
	test bool
	ast  *ast.File
}

// uses returns the packages of this module that a file imports, by the names it
// gives them.
func (s *source) uses() map[string]string {
	packages := map[string]string{}
	for _, spec := range s.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		dir, ours := strings.CutPrefix(name, module)
		if err != nil || !ours {
			continue
		}
		local := path.Base(dir)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		packages[local] = dir
	}
	return packages
}

// files returns the files of the tree whose names end in one of these.
func files(t *testing.T, endings ...string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "build" || name == "dist" || name == "vendor" || name == ".git"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		for _, e := range endings {
			if strings.HasSuffix(name, e) {
				names = append(names, name)
				return nil
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 3 {
		t.Fatalf("only %d files *%s", len(names), strings.Join(endings, ", *"))
	}
	return names
}

// sources parses every Go file of the tree.
func sources(t *testing.T) (*token.FileSet, []*source) {
	t.Helper()
	set := token.NewFileSet()
	var all []*source
	for _, name := range files(t, ".go") {
		file, err := parser.ParseFile(set, filepath.Join("../..", name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), file})
	}
	return set, all
}
