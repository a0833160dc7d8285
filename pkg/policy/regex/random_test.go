package regex

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

var patterns = flag.Int("patterns", 20_000, "random patterns to hold against package regexp")

// atoms, and what may be put after one. All of them are bytes for package regexp, too.
var (
	atoms = []string{
		"a", "b", "k", "K", "_", "\n", " ", ".", "^", "$", `\A`, `\z`, `\b`, `\B`, `\d`, `\D`, `\s`, `\S`, `\w`, `\W`, `\n`, `\xe9`, `\x{ff}`,
		`\101`, `\0`, `\.`, "[ab]", "[^ab]", "[a-k]", `[^\d]`, `[\W_]`, `[[:upper:]]`, `[^[:space:]a]`, `[\x80-\xff]`, "[]-]", `\Qa.\E`, "", "{", "{,2}",
	}
	repeats = []string{"", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{0}", "{0,2}", "{1,3}?", "{2,}"}
	opens   = []string{"(", "(?:", "(?P<n>", "(?<m>", "(?i:", "(?m:", "(?s-m:", "(?-s:", "(?U:", "(?im-s:"}
	bytes   = "aabbkK_\n 1.\xe9\xff\x00A"
)

func randomPattern(r *rand.Rand, depth int) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		switch n := r.IntN(12); {
		case n < 3 && depth > 0:
			b.WriteString(opens[r.IntN(len(opens))] + randomPattern(r, depth-1) + ")")
		case n == 3:
			b.WriteString("|")
			continue
		case n == 4:
			b.WriteString([]string{"(?i)", "(?m)", "(?-s)", "(?s)", "(?-i)"}[r.IntN(5)])
			continue
		default:
			b.WriteString(atoms[r.IntN(len(atoms))])
		}
		b.WriteString(repeats[r.IntN(len(repeats))])
	}
	return b.String()
}

// What package regexp takes is taken, and matches the same strings from the first
// byte to the last: a character each, with the number of the byte.
func TestRandomExpressionsAreThoseOfPackageRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, uint64(*patterns)))
	taken, matches, wrong := 0, 0, 0
	for range *patterns {
		text := randomPattern(r, 3)
		theirs, err := regexp.Compile(`\A(?s:` + text + `)\z`)
		if _, alone := regexp.Compile(text); alone != nil {
			err = alone
		}
		ours, mistake := Compile(text)
		if (err == nil) != (mistake == nil) {
			t.Fatalf("%q: %v; package regexp: %v", text, mistake, err)
		}
		if err != nil {
			wrong++
			continue
		}
		taken++
		for range 8 {
			s := make([]byte, r.IntN(6))
			characters := make([]rune, len(s))
			for i := range s {
				s[i] = bytes[r.IntN(len(bytes))]
				characters[i] = rune(s[i])
			}
			want := theirs.MatchString(string(characters))
			if got := ours.Match(string(s)); got != want {
				t.Fatalf("%q, %q: %v; package regexp: %v", text, s, got, want)
			}
			if want {
				matches++
			}
		}
	}
	if taken < *patterns/4 || wrong < *patterns/20 || matches < taken {
		t.Errorf("%d taken, %d not, %d matches: the cases are one-sided", taken, wrong, matches)
	}
}
