package rexecd

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAQuestionIsOneLineOfJSON(t *testing.T) {
	q := question{"rsh", "alice", "192.0.2.7", 40112, "192.0.2.1", "echo \"a\\b\"\n\x01\x7f\xff\xc3 ä\u2028\U0001F600", `r"`}
	const want = `{"service":"rsh","user":"alice","peer":"192.0.2.7","peer_port":40112,"local":"192.0.2.1",` +
		`"command":"echo \"a\\b\"\u000a\u0001\u007f\udcff\udcc3 ä\u2028😀","rule":"r\""}` + "\n"
	if got := string(q.json()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever a peer sends is one valid string, and two commands never look alike.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "date", "a\"b\\", "\xff\xfe", "ä\x80", "\u2028\x00", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := appendString(nil, s)
		var back string
		err := json.Unmarshal(line, &back)
		if err != nil || strings.ContainsAny(string(line), "\n\r\x00") || !utf8.Valid(line) {
			t.Fatalf("%q became %s, %v", s, line, err)
		}
		if utf8.ValidString(s) && back != s {
			t.Errorf("%q came back as %q", s, back)
		}
		if got := original(string(line)); got != s {
			t.Errorf("%q came back as %q from %s", s, got, line)
		}
	})
}

// original is what Python makes of it: os.fsencode(json.loads(line)).
func original(line string) string {
	var b []byte
	for rest := line[1 : len(line)-1]; rest != ""; {
		switch {
		case strings.HasPrefix(rest, `\u`):
			n, _ := strconv.ParseUint(rest[2:6], 16, 16)
			if n>>8 == 0xdc {
				b = append(b, byte(n))
			} else {
				b = utf8.AppendRune(b, rune(n))
			}
			rest = rest[6:]
		case rest[0] == '\\':
			b, rest = append(b, rest[1]), rest[2:]
		default:
			b, rest = append(b, rest[0]), rest[1:]
		}
	}
	return string(b)
}
