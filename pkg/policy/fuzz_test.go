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

// The mistakes in patterns that package regexp takes, on purpose: characters that are
// no bytes, and programs of more than 10,000 instructions.
var onlyOurs = []string{"as a class of Unicode's characters", `as no byte is above \xff`, "expression too large"}

func isOnlyOurs(err error) bool {
	return slices.ContainsFunc(onlyOurs, func(why string) bool { return strings.Contains(err.Error(), why) })
}

func notASCII(c rune) bool { return c >= 0x80 }

// Patterns are taken or not as package regexp does, and those that are taken match a
// command if, and only if, it finds them from the first byte to the last. Two
// differences are on purpose: \C is any byte, and (?i) folds the letters of ASCII only.
func FuzzCommand(f *testing.F) {
	for _, s := range [][2]string{
		{"id|uname", "id\n"}, {"(?m)^a$", "a\nb"}, {`\Qa`, "a"}, {"a)|(b", "ab"}, {`\xe9.`, "\xe9\xff"}, {"(?U)a*", "aaa"},
		{"a|ab", "ab"}, {`(?i)\xb5`, "\xb5"}, {`\b`, ""}, {`\C`, "\xff"}, {"[^a]", "\xc3\xa9"},
		{"(a{2,3}){2,}?", "aaaa"}, {"(?i:a[^b])*", "AaA"}, {`[[:^alpha:]\D-]+`, "1-"}, {"(|a)+", "aa"}, {"(^a|b$|\\B)*", "ab"},
		{"(?P<n>a)(?<m>b)", "ab"}, {"(?s-i:.)|(?-s).", "\n"},
		{`[]a-\x63\101]\0`, "]\x00"}, {"a{,2}{", "a{,2}{"}, {`a*(?i)*\Q\E+`, "aa"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, command string) {
		if len(pattern) > 60 || len(command) > 100 || strings.ContainsFunc(pattern, notASCII) {
			return // package regexp takes their product, and repetitions multiply
		}
		whole, theirs := regexp.Compile("(?s)" + pattern)
		rules, err := Compile([]Rule{{Command: &pattern, Deny: true}})
		switch {
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("%q: %q", pattern, err)
		case err != nil && theirs != nil:
			return
		case err != nil && isOnlyOurs(err):
			return
		case err == nil && theirs != nil && strings.Contains(pattern, `\C`):
			return
		case (err == nil) != (theirs == nil):
			t.Fatalf("%q: %v; package regexp: %v", pattern, err, theirs)
		}
		ascii := byte(0xff)
		if strings.Contains(pattern, "i") && strings.Contains(pattern, `\`) {
			ascii = 0x7f // (?i) may be on, and the pattern have a letter such as \xe9
		}
		bytes, characters := []byte(command), make([]rune, len(command))
		for i := range bytes {
			bytes[i] &= ascii
			characters[i] = rune(bytes[i])
		}
		command = string(bytes)
		whole.Longest()
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
