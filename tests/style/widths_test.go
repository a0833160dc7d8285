package style

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	maxCode     = 120 // columns of code, where a tab counts as four
	maxProse    = 100 // columns of comments and documents
	maxFile     = 300 // lines of a Go file, tests not counted
	maxFunction = 60  // lines
)

// Directories, and below them everything, that are not yet held to the widths.
var (
	wideCode  = []string{"cmd/rexecd", "packaging", "tests/attack", "tests/bench", "tests/e2e", "tests/interop", "tests/manual", "tests/platform"}
	wideProse = []string{".", "cmd/in.rexecd", "cmd/rexecd", "packaging", "systemd", "tests/bench"}
)

// notYet reports whether a file is in one of the directories; "." has no others
// below it.
func notYet(name string, dirs []string) bool {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if slices.Contains(dirs, dir) && (dir != "." || path.Dir(name) == ".") {
			return true
		}
		if dir == "." {
			return false
		}
	}
}

func TestGoFilesAndFunctionsAreShort(t *testing.T) {
	set, all := sources(t)
	for _, s := range all {
		if lines := set.File(s.ast.Pos()).LineCount(); !s.test && lines >= maxFile {
			t.Errorf("%s has %d lines; want less than %d", s.name, lines, maxFile)
		}
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
			if lines >= maxFunction && !s.test {
				t.Errorf("%s: %s has %d lines; want less than %d", s.name, f.Name.Name, lines, maxFunction)
			}
		}
	}
}

func columns(line string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
}

// text reads a file as lines; the first has the index 1.
func text(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{""}, strings.Split(string(b), "\n")...)
}

func TestGoCodeAndCommentsAreNotWide(t *testing.T) {
	set, all := sources(t)
	for _, s := range all {
		lines := text(t, s.name)
		width := make([]int, len(lines))
		for i, line := range lines {
			width[i] = columns(line)
		}
		for _, group := range s.ast.Comments {
			for _, c := range group.List {
				at := set.Position(c.Pos())
				if strings.TrimSpace(lines[at.Line][:at.Column-1]) == "" { // else it is part of a line of code
					proseIsNarrow(t, s.name, lines, at.Line, set.Position(c.End()).Line)
					width[at.Line] = 0
				}
			}
		}
		if notYet(s.name, wideCode) {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			// A text is not broken up, so that it can be searched for.
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				width[set.Position(lit.Pos()).Line] -= len(lit.Value) - 2
			}
			return true
		})
		for i, w := range width {
			if w >= maxCode {
				t.Errorf("%s:%d has %d columns of code; want less than %d", s.name, i, w, maxCode)
			}
		}
	}
}

// proseIsNarrow checks the lines from first to last. What cannot be broken is not
// held to a width: an address, a row of a table.
func proseIsNarrow(t *testing.T, name string, lines []string, first, last int) {
	t.Helper()
	if notYet(name, wideProse) {
		return
	}
	for i := first; i <= last; i++ {
		line := strings.TrimSpace(lines[i])
		long := func(word string) bool { return columns(word) > maxProse/2 }
		unbreakable := strings.HasPrefix(line, "|") || slices.ContainsFunc(strings.Fields(line), long)
		if w := columns(lines[i]); w > maxProse && !unbreakable {
			t.Errorf("%s:%d has %d columns; want at most %d", name, i, w, maxProse)
		}
	}
}

func TestDocumentsAreNotWide(t *testing.T) {
	for _, name := range files(t, ".md", ".1", ".5", ".8") {
		lines := text(t, name)
		proseIsNarrow(t, name, lines, 1, len(lines)-1)
	}
	comment := regexp.MustCompile(`^\s*(#|//|/?\*)`)
	for _, name := range files(t, ".service", ".socket", ".c", ".h", ".toml", ".mk", "Makefile", ".sh", ".conf") {
		lines := text(t, name)
		for i, line := range lines {
			if comment.MatchString(line) {
				proseIsNarrow(t, name, lines, i, i)
			}
		}
	}
}
