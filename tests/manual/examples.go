// Package manual reads the examples out of the manuals, so that tests can try
// them. In the source of a page, a comment before each display names its kind:
//
//	.\" example: rexecd.toml
//	.Bd -literal -offset indent
//
// A kind is a file that some parser reads, or "shell" or "systemd" for commands;
// "text", with a reason, is for what cannot be tried here.
package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An Example is one display of a page, as its reader sees it.
type Example struct {
	Page, Kind, Argument string
	Line                 int
	Lines                []string
}

func (e Example) String() string { return fmt.Sprintf("%s:%d", filepath.Base(e.Page), e.Line) }

// Text is the display with a newline after each line, and without prompts.
func (e Example) Text() string {
	var text strings.Builder
	for _, line := range e.Lines {
		if e.Kind == "shell" || e.Kind == "systemd" {
			line = strings.TrimPrefix(strings.TrimPrefix(line, "$ "), "# ")
		}
		text.WriteString(line + "\n")
	}
	return text.String()
}

// Pages are all manuals of the module whose root is given.
func Pages(root string) ([]string, error) {
	return filepath.Glob(filepath.Join(root, "cmd", "*", "*.[1-8]"))
}

// unescape turns what roff spells in another way into the characters that are
// printed.
var unescape = strings.NewReplacer(`\e`, `\`, `\(aq`, "'", `\(dq`, `"`, `\(ha`, "^", `\(ti`, "~", `\(ga`, "`", `\-`, "-", `\&`, "", `\ `, " ")

// Read returns the displays of a page. One without a comment has the kind "".
func Read(page string) ([]Example, error) {
	source, err := os.ReadFile(page)
	if err != nil {
		return nil, fmt.Errorf("read manual: %w", err)
	}
	var examples []Example
	var literal *Example
	kind, argument := "", ""
	for n, line := range strings.Split(string(source), "\n") {
		switch comment, marked := strings.CutPrefix(line, `.\" example: `); {
		case literal != nil && line == ".Ed":
			examples = append(examples, *literal)
			literal, kind, argument = nil, "", ""
		case literal != nil:
			literal.Lines = append(literal.Lines, unescape.Replace(line))
		case marked:
			kind, argument, _ = strings.Cut(comment, " ")
		case strings.HasPrefix(line, ".Bd -literal"):
			literal = &Example{Page: page, Kind: kind, Argument: argument, Line: n + 1}
		case strings.HasPrefix(line, ".Dl "):
			text := unescape.Replace(strings.TrimPrefix(line, ".Dl "))
			if last := len(examples) - 1; kind == "" && last >= 0 && examples[last].Line+len(examples[last].Lines) == n+1 {
				examples[last].Lines = append(examples[last].Lines, text) // the next line of one display
				break
			}
			examples = append(examples, Example{Page: page, Kind: kind, Argument: argument, Line: n + 1, Lines: []string{text}})
			kind, argument = "", ""
		}
	}
	if literal != nil || kind != "" {
		return nil, fmt.Errorf("read manual: %s: a display without its end, or a comment without its display", page)
	}
	return examples, nil
}
