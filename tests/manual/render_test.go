package manual

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// formatters print a page as readers get it, in lines so long that none is
// broken.
var formatters = map[string][]string{
	"man (groff)": {"man", "--no-hyphenation", "--no-justification", "--local-file"},
	"mandoc":      {"mandoc", "-T", "utf8", "-O", "width=400"},
}

var overstrike = regexp.MustCompile(".\b")

func render(t *testing.T, formatter, page string) string {
	t.Helper()
	args := append(formatters[formatter], page)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "MANWIDTH=400", "LC_ALL=C.UTF-8", "MANPAGER=cat", "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) < 1000 {
		t.Fatalf("%s: %v\n%.500s", strings.Join(args, " "), err, out)
	}
	return overstrike.ReplaceAllString(string(out), "")
}

// inline matches a macro line whose whole argument is literal text.
var inline = regexp.MustCompile(`^\.(?:It |Pq |Po )?(?:Ql|Li) (.*?)(?: [.,:;)])*$`)

// macro finds arguments that are macros themselves, as in `.Pq Ql a , Ql b`.
var macro = regexp.MustCompile(` (?:Ql|Li|Ns|No|Pf|Cm|Ar|Fl|Dq) `)

// Macros take quotes off their arguments, and the space before a full stop or a
// bar that stands alone.
func TestEveryExampleIsPrintedAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		source, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for formatter := range formatters {
			text := render(t, formatter, page)
			printed := map[string]bool{}
			for line := range strings.Lines(text) {
				printed[strings.TrimSpace(line)] = true
			}
			for _, e := range examples(t, page) {
				for _, line := range e.Lines {
					if !printed[strings.TrimSpace(strings.ReplaceAll(line, "\t", "        "))] && !printedWithTabs(printed, line) {
						t.Errorf("%s: %s does not print the line %q", e, formatter, line)
					}
				}
			}
			words := strings.Join(strings.Fields(text), " ")
			for n, line := range strings.Split(string(source), "\n") {
				m := inline.FindStringSubmatch(line)
				if m == nil || macro.MatchString(m[1]) {
					continue
				}
				if want := unescape.Replace(m[1]); !strings.Contains(words, strings.Join(strings.Fields(want), " ")) {
					t.Errorf("%s:%d: %s does not print %q", filepath.Base(page), n+1, formatter, want)
				}
			}
			for _, bad := range []string{"’’", "‘‘", "””", "““"} {
				if at := strings.Index(words, bad); at >= 0 {
					t.Errorf("%s: %s prints %q: quotes within quotes", filepath.Base(page), formatter, words[max(0, at-40):at+len(bad)])
				}
			}
		}
	}
}

// printedWithTabs reports whether a line was printed with any widths in place of
// its tabs.
func printedWithTabs(printed map[string]bool, line string) bool {
	want := strings.Join(strings.Fields(line), " ")
	for p := range printed {
		if strings.Contains(line, "\t") && strings.Join(strings.Fields(p), " ") == want {
			return true
		}
	}
	return false
}

func TestEveryPageIsClean(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		if out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		cmd := exec.Command("man", "--warnings", "--local-file", page)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANPAGER=cat", "MANWIDTH=100")
		var warnings strings.Builder
		cmd.Stderr = &warnings
		if err := cmd.Run(); err != nil || warnings.Len() > 0 {
			t.Errorf("man --warnings %s: %v\n%s", page, err, warnings.String())
		}
	}
}
