package style

import (
	"go/ast"
	"go/token"
	"slices"
	"testing"
)

// A refusal's delay, record and penalty must not hang on its wording: whoever
// rewords a diagnostic would change them unawares.
func TestNothingComparesAPublicText(t *testing.T) {
	set, all := sources(t)
	texts := 0
	for _, s := range all {
		if s.test || s.dir != "pkg/rexecd" {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if isPublic(n) {
				texts++
			}
			for _, text := range compared(n) {
				t.Errorf("%v: a public text is compared", set.Position(text.Pos()))
			}
			return true
		})
	}
	if texts < 10 {
		t.Errorf("only %d public texts", texts)
	}
}

// isPublic reports whether an expression is one of the diagnostics, or a
// refusal's.
func isPublic(n ast.Node) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "diagnostics" || sel.Sel.Name == "public"
}

// compared returns the public texts that a node compares. Whether there is one at
// all may be asked.
func compared(n ast.Node) (texts []ast.Expr) {
	var operands []ast.Expr
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if !slices.Contains([]token.Token{token.EQL, token.NEQ, token.LSS, token.GTR, token.LEQ, token.GEQ}, n.Op) {
			return nil
		}
		operands = []ast.Expr{n.X, n.Y}
	case *ast.SwitchStmt:
		operands = []ast.Expr{n.Tag}
	case *ast.CaseClause:
		operands = n.List
	case *ast.CallExpr:
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"strings", "slices", "bytes", "regexp"}, x.Name) {
				operands = n.Args
			}
		}
	case *ast.IndexExpr:
		operands = []ast.Expr{n.Index} // of a map by texts
	}
	for _, e := range operands {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Value == `""` {
			return nil
		}
	}
	for _, e := range operands {
		if e != nil && isPublic(e) {
			texts = append(texts, e)
		}
	}
	return texts
}
