package regex

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestWhatIsWrongInAnExpressionIsNamedWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"a)b":                          "unexpected ): `)` at byte 2",
		"a(b(c)":                       "missing closing ): `(b(c)` at byte 2",
		"x[a-c":                        "missing closing ]: `[a-c` at byte 2",
		"x[]":                          "missing closing ]: `[]` at byte 2",
		"x[c-a]":                       "invalid character class range: `c-a` at byte 3",
		"[[:word]:]":                   "invalid character class name: `[:word]:]` at byte 2",
		"*a":                           "missing argument to repetition operator: `*` at byte 1",
		"a|+":                          "missing argument to repetition operator: `+` at byte 3",
		"(?i)*":                        "missing argument to repetition operator: `*` at byte 5",
		"a**":                          "invalid nested repetition operator: `*` at byte 3",
		"a{2}{3}?":                     "invalid nested repetition operator: `{3}?` at byte 5",
		"a{1001}":                      "invalid repeat count, above 1000: `{1001}` at byte 2",
		"a{99999999999999999999,}":     "invalid repeat count, above 1000: `{99999999999999999999,}` at byte 2",
		"a{3,2}":                       "invalid repeat count, as the first is above the second: `{3,2}` at byte 2",
		"(a{40}){26}":                  "invalid repeat count, above 1000 with the counts inside: `{26}` at byte 8",
		`a\`:                           "trailing backslash at end of expression: `\\` at byte 2",
		`a\Z`:                          "invalid escape sequence: `\\Z` at byte 2",
		`[\b]`:                         "invalid escape sequence: `\\b` at byte 2",
		`\xg0`:                         "invalid escape sequence: `\\xg0` at byte 1",
		`\x{1`:                         "invalid escape sequence: `\\x{1` at byte 1",
		`\x{100}`:                      "invalid escape sequence, as no byte is above \\xff; write the bytes of the character: `\\x{100}` at byte 1",
		`\777`:                         "invalid escape sequence, as no byte is above \\xff; write the bytes of the character: `\\777` at byte 1",
		`(a)\1`:                        "invalid escape sequence, as nothing refers back to a group: `\\1` at byte 4",
		`\pL`:                          "invalid escape sequence, as a class of Unicode's characters, and what is matched are bytes; write them, as in [\\x80-\\xff]: `\\pL` at byte 1",
		"a(?=b)":                       "invalid or unsupported Perl syntax, as nothing looks ahead: `(?=` at byte 2",
		"(?<!a)b":                      "invalid or unsupported Perl syntax, as nothing looks behind: `(?<!` at byte 1",
		"(?x)a":                        "invalid or unsupported Perl syntax: `(?x` at byte 1",
		"(?i-)":                        "invalid or unsupported Perl syntax: `(?i-)` at byte 1",
		"(?P<a-b>c)":                   "invalid named group: `(?P<a-b>` at byte 1",
		"(?i":                          "missing closing ): `(?i` at byte 1",
		"a\n)":                         "unexpected ): `)` at byte 3",
		"(\n":                          `missing closing ): "(\n" at byte 1`,
		"(" + strings.Repeat("a", 100): "missing closing ): `(" + strings.Repeat("a", 39) + "...` at byte 1",
		strings.Repeat("(", 2000):      "expression nests too deeply: `(` at byte 1001",
		"(?:abcdefghijk){1000}":        "expression too large: its 21 bytes make more than 10000 steps of a match",
		strings.Repeat("a", 10001):     "expression too large: its 10001 bytes make more than 10000 steps of a match",
	} {
		if p, err := Compile(text); err == nil || err.Error() != want || p != nil {
			t.Errorf("%.60q: %v; want %s", text, err, want)
		}
	}
}

// What package regexp does not know, or knows of characters.
func TestBytesAreNotCharacters(t *testing.T) {
	for _, tt := range []struct {
		text, s string
		want    bool
	}{
		{`\C`, "\xff", true}, {`(?-s)\C`, "\n", true}, {".", "\xc3\xa9", false}, {`[^a]`, "\x80", true},
		{`(?i)\xe9`, "\xc9", false}, {`(?i)\xe9`, "\xe9", true}, {`(?i)[\xe0-\xff]`, "\xc9", false},
		{`(?i)\x6b`, "K", true}, {`(?i)[^k]`, "K", false}, {`\x{0000e9}`, "\xe9", true},
		{`\w`, "\xe9", false}, {`\W\b`, "\xe9", false}, {`a\b\xe9`, "a\xe9", true},
		{`\Qa`, "a", true}, {`\Q\\E`, `\`, true}, {".", "\n", true}, {"(?-s).", "\n", false},
		{`a\Bb`, "ab", true}, {`a\B\xe9`, "a\xe9", false}, {`\B`, "", true}, {`(?m)a$\n^b`, "a\nb", true}, {`a$\nb`, "a\nb", false},
	} {
		p, err := Compile(tt.text)
		if err != nil {
			t.Fatalf("%s: %v", tt.text, err)
		}
		if got := p.Match(tt.s); got != tt.want {
			t.Errorf("%s, %q: %v", tt.text, tt.s, got)
		}
	}
}

// Expressions that take engines which go back the age of the universe.
func TestTimeIsBoundedByTheProductOfTheLengths(t *testing.T) {
	s := strings.Repeat("a", 64<<10)
	for _, text := range []string{
		"(a*)*b", "(a|aa)+b", "(a?){100}a{100}b", "(((a*)*)*)*b", "(.*)(.*)(.*)(.*)[^a]", `(\b|\B|a)*b`, "(|a|(|a)*)*b",
	} {
		p, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if p.Match(s) {
			t.Errorf("%s matches", text)
		}
		if took := time.Since(begin); took > time.Minute { // a second at most
			t.Errorf("%s: %v", text, took)
		}
	}
}

// A program's code is bounded, and so is what is made on the way to it.
func TestCompilingIsBounded(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("(", 999) + "a" + strings.Repeat("*)", 999), strings.Repeat("a|", 4000),
		strings.Repeat("(?:", 500) + "a" + strings.Repeat("{2})", 500), strings.Repeat("()|", 3000),
		strings.Repeat("[a-z]", 9000), strings.Repeat("x{0}", 100_000), strings.Repeat("(?:", 900) + strings.Repeat("|)", 900),
		manySets(),
	} {
		begin := time.Now()
		p, err := Compile(text)
		if err == nil && max(len(p.code), len(p.sets)) > maxCode+1 {
			t.Errorf("%.20s: %d instructions", text, len(p.code))
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%.20s: %v", text, took)
		}
	}
}

// manySets are more classes than a program may have, each of them another, and none of
// them in its code.
func manySets() string {
	var b strings.Builder
	for i := range 2 * maxCode {
		fmt.Fprintf(&b, `[\x%02x\x%02x]{0}`, i&0xff, 0x80|i>>8)
	}
	return b.String()
}

func BenchmarkMatch(b *testing.B) {
	long := "/opt/jobs/run" + strings.Repeat(" argument/of_some-length.txt", 300)
	for _, tt := range []struct{ name, text, s string }{
		{"short", `/opt/jobs/[a-z]+( [A-Za-z0-9._/-]+)*`, "/opt/jobs/nightly --all"},
		{"long", `/opt/jobs/[a-z]+( [A-Za-z0-9._/-]+)*`, long},
		{"counts", `(/[a-z0-9._-]{1,64}){1,15}`, "/srv/data/archive/2026/report.txt"},
	} {
		b.Run(tt.name+"/ours", func(b *testing.B) {
			p, err := Compile(tt.text)
			for b.Loop() {
				if err != nil || !p.Match(tt.s) && tt.name != "long" {
					b.Fatal(err)
				}
			}
		})
		b.Run(tt.name+"/regexp", func(b *testing.B) {
			p := regexp.MustCompile(`\A(?s:` + tt.text + `)\z`)
			for b.Loop() {
				p.MatchString(tt.s)
			}
		})
		b.Run(tt.name+"/compile", func(b *testing.B) {
			for b.Loop() {
				_, _ = Compile(tt.text)
			}
		})
		b.Run(tt.name+"/compile-regexp", func(b *testing.B) {
			for b.Loop() {
				regexp.MustCompile(`\A(?s:` + tt.text + `)\z`)
			}
		})
	}
}
