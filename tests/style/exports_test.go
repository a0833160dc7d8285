package style

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// An export is an exported name of a package below pkg.
type export struct {
	dir, name string
	member    bool // a method or a field: used as x.Name, whatever x is
	pos       token.Pos
	enum      token.Pos // of the declaration that has several constants; 0: none
	enumType  string    // of the constants, if it is named
}

// byInterface are methods that callers reach through an interface of the standard
// library.
var byInterface = []string{"Error", "Unwrap", "Is", "Read", "Write", "Close", "String", "RespondPAM", "UnmarshalJSON"}

// exempt are exported names without such a use, and why.
var exempt = map[string]string{
	"pkg/login.ConfDir":   "pkg/rexecd's tests have PAM files of their own",
	"pkg/rexecd.PAM":      "holds ConfDir",
	"pkg/login.Call":      "pkg/rexecd's tests make errors of PAM's",
	"pkg/login.Status":    "pkg/rexecd's tests make errors of PAM's",
	"pkg/penalty.Source":  "half of a penalty's origin, whose other half is User",
	"pkg/report.Counts":   "embedded in what users, sources and pairs of both have",
	"pkg/settings.Column": "part of a place in a file: file, line and column",
}

// The client library and its wire format are for other modules.
func public(dir string) bool { return dir == "pkg/rexec" || dir == "pkg/rexec/wire" }

func TestWhatIsExportedIsUsedByAnotherPackage(t *testing.T) {
	set, all := sources(t)
	var exports []export
	signatures := map[string]map[string]bool{} // names that a package's other exports are made of
	used := map[export]bool{}                  // without positions
	for _, s := range all {
		if s.test {
			continue
		}
		if strings.HasPrefix(s.dir, "pkg/") && !public(s.dir) {
			if signatures[s.dir] == nil {
				signatures[s.dir] = map[string]bool{}
			}
			exports = append(exports, exportsOf(s, signatures[s.dir])...)
		}
		markUses(s, used)
	}
	if len(exports) < 50 {
		t.Fatalf("only %d exported names", len(exports))
	}
	enums := map[token.Pos]bool{} // with a constant that is used, or of a type that is
	for _, e := range exports {
		if used[export{dir: e.dir, name: e.name}] || signatures[e.dir][e.enumType] {
			enums[e.enum] = e.enum != 0
		}
	}
	needed := map[string]bool{} // exemptions
	for _, e := range exports {
		ok := used[export{dir: e.dir, name: e.name}] || signatures[e.dir][e.name] || enums[e.enum]
		if e.member {
			ok = usedElsewhere(used, e) || slices.Contains(byInterface, e.name)
		}
		name := e.dir + "." + e.name
		switch {
		case ok:
			// A member may only look used, by its name: such an exemption may stay.
			needed[name] = needed[name] || e.member
		case exempt[name] != "":
			needed[name] = true
		default:
			t.Errorf("%v: %s is exported, and no other package uses it", set.Position(e.pos), e.name)
		}
	}
	for name := range exempt {
		if !needed[name] {
			t.Errorf("%s is used or gone: it needs no exemption any more", name)
		}
	}
}

// usedElsewhere reports whether a file of another directory has a selector or a
// key of this name.
func usedElsewhere(used map[export]bool, e export) bool {
	for u := range used {
		if u.member && u.name == e.name && u.dir != e.dir {
			return true
		}
	}
	return false
}

// exportsOf returns what a file exports, and notes the names in its signatures.
func exportsOf(s *source, signatures map[string]bool) (list []export) {
	var enum token.Pos
	enumType := ""
	add := func(id *ast.Ident, member bool) {
		if id.IsExported() {
			list = append(list, export{s.dir, id.Name, member, id.Pos(), enum, enumType})
		}
	}
	note := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				signatures[id.Name] = true
			}
			return true
		})
	}
	for _, d := range s.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			enum, enumType = 0, ""
			add(d.Name, d.Recv != nil)
			if d.Name.IsExported() {
				note(d.Type)
			}
		case *ast.GenDecl:
			enum, enumType = 0, ""
			if d.Tok == token.CONST && d.Lparen != 0 {
				enum = d.Pos()
			}
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					if id, ok := spec.Type.(*ast.Ident); ok && enum != 0 {
						enumType = id.Name
					}
					for _, id := range spec.Names {
						add(id, false)
					}
				case *ast.TypeSpec:
					add(spec.Name, false)
					fields, ok := spec.Type.(*ast.StructType)
					if !ok || !spec.Name.IsExported() {
						continue
					}
					for _, f := range fields.Fields.List {
						for _, id := range f.Names {
							add(id, true)
							if id.IsExported() {
								note(f.Type)
							}
						}
					}
				}
			}
		}
	}
	return list
}

// markUses notes what a file uses of packages, and every name it may use of a
// value of theirs.
func markUses(s *source, used map[export]bool) {
	packages := s.uses()
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && packages[x.Name] != "" {
				used[export{dir: packages[x.Name], name: n.Sel.Name}] = true
			}
			used[export{dir: s.dir, name: n.Sel.Name, member: true}] = true
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				used[export{dir: s.dir, name: key.Name, member: true}] = true
			}
		}
		return true
	})
}
