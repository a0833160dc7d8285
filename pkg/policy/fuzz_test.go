package policy

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWordsAreThoseOfTheShell(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"a b\tc", []string{"a", "b", "c"}},
		{"  a  ", []string{"a"}},
		{`a '' ""`, []string{"a", "", ""}},
		{`a'b'"c"\d`, []string{"abcd"}},
		{`a 'b "c" \ ; d'`, []string{"a", `b "c" \ ; d`}},
		{`a "b 'c' \" \\ \$ \a ; & |"`, []string{"a", `b 'c' " \ $ \a ; & |`}},
		{`a \;\|\&\ \'`, []string{"a", ";|& '"}},
		{"a 'b\nc'", []string{"a", "b\nc"}},
		{"a \xff\xe9", []string{"a", "\xff\xe9"}},
		{"a --b=c", []string{"a", "--b=c"}},
		{"a \r\v\x01\x7f", []string{"a", "\r\v\x01\x7f"}},
	} {
		if got, err := Split(tt.line); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, %v; want %q", tt.line, got, err, tt.want)
		}
		if got := bySh(t, tt.line); !slices.Equal(got, tt.want) {
			t.Errorf("%q: sh has %q; the test has %q", tt.line, got, tt.want)
		}
	}
}

func TestWhatOnlyAShellUnderstandsIsRefusedByName(t *testing.T) {
	for c, shown := range map[string]string{
		"\n": `'\n' outside`, ";": "';' outside", "&": "'&' outside", "|": "'|' outside", "<": "'<' outside", ">": "'>' outside",
		"(": "'(' outside", ")": "')' outside", "$": "'$' outside", "`": "'`' outside", "*": "'*' outside", "?": "'?' outside",
		"[": "'[' outside", "]": "']' outside", "{": "'{' outside", "}": "'}' outside", "#": "'#' outside", "~": "'~' outside", "!": "'!' outside",
	} {
		for _, line := range []string{"a " + c, "a" + c + "b", c} {
			if _, err := Split(line); err == nil || !strings.HasPrefix(err.Error(), shown) {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	for line, want := range map[string]string{
		"a '": "a ' has no end", `a "`: `a " has no end`, `a "\`: `a " has no end`, `a \`: `a \ at the end`, "a \\\nb": `a \ at the end`, "a \"\\\n\"": `a \ at the end`,
		`a "$b"`: "'$' in double quotes", "a \"`b`\"": "'`' in double quotes", "": "no program", "  \t": "no program", `"" a`: "no program",
		"LD_PRELOAD=x id": "'=' outside quotes", "a\x00b": "a NUL", "a '\x00'": "a NUL",
	} {
		if words, err := Split(line); err == nil || !strings.HasPrefix(err.Error(), want) || words != nil {
			t.Errorf("%q: %q, %v; want %s", line, words, err, want)
		}
	}
}

// bySh has the shell print the words of a line, each with a byte after it that no
// line has.
func bySh(t *testing.T, line string) []string {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `printf '%s\000' `+line)
	cmd.Env = []string{"PATH=/nowhere", "LC_ALL=C"}
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sh: %q: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// Every line that is taken has the words that the shell finds in it.
func FuzzSplit(f *testing.F) {
	for _, line := range []string{"a b", `a 'b'"c"\d e`, `a "\$\a\"" ''`, "a\tb\rc", "a =b", "a \xff\x81\x88\xc3\xa9", "a %b ^c @d +e ,f :g", "'a\nb' c", `a\ b`, "if then", "a 1>2", "a -n \\\\"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil {
			if words != nil || len(err.Error()) > 200 {
				t.Errorf("%q: %q, %v", line, words, err)
			}
			return
		}
		if len(line) > 1000 {
			return
		}
		if want := bySh(t, line); !slices.Equal(words, want) {
			t.Errorf("%q: %q; sh has %q", line, words, want)
		}
	})
}

// A pattern that is taken matches a command if, and only if, the bytes from its
// first to its last do, found in another way.
func FuzzCommand(f *testing.F) {
	for _, s := range [][2]string{
		{"id|uname", "id\n"}, {"(?m)^a$", "a\nb"}, {`\Qa`, "a"}, {"a)|(b", "ab"}, {`\xe9.`, "\xe9\xff"}, {"(?U)a*", "aaa"},
		{"a|ab", "ab"}, {`(?i)\xb5`, "\xb5"}, {`\b`, ""}, {`\C`, "\xff"}, {"[^a]", "\xc3\xa9"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, command string) {
		if len(pattern) > 60 || len(command) > 100 {
			return // the other way takes their product, and repetitions multiply
		}
		rules, err := Compile([]Rule{{Command: &pattern, Deny: true}})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %q", pattern, err)
			}
			return
		}
		whole, err := regexp.Compile("(?s)" + pattern)
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		whole.Longest()
		characters := make([]rune, len(command))
		for i := range len(command) {
			characters[i] = rune(command[i])
		}
		at := whole.FindStringIndex(string(characters))
		want := at != nil && at[0] == 0 && at[1] == len(string(characters))
		if got := rules.Decide(alice(command)).Rule != nil; got != want {
			t.Errorf("%q, %q: %v; want %v", pattern, command, got, want)
		}
	})
}

func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b", "aXb"}, {"*?*", "\u00e9"}, {"**a", "aaa"}, {"?", ""}, {"*a*b*c", "abcabc"}, {"\xff?", "\xff\xfe"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !utf8.ValidString(name) || !utf8.ValidString(pattern) {
			return // package regexp takes no such pattern
		}
		re := regexp.MustCompile(`\A(?s:` + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + `)\z`)
		if got, want := glob(pattern, name), re.MatchString(name); got != want {
			t.Errorf("%q, %q: %v; want %v", pattern, name, got, want)
		}
	})
}
