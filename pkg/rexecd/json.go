package rexecd

import (
	"fmt"
	"unicode/utf8"
)

// appendString appends a string of JSON (RFC 8259). A byte that is no UTF-8 becomes
// \udc80 to \udcff, as Python's surrogateescape has it: a program can have the bytes
// back, and no two commands look alike. Package encoding/json is half a megabyte of
// every process, and makes all such bytes one character.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\udc%02x`, s[0])
		case r == '"' || r == '\\':
			b = append(b, '\\', s[0])
		case r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029': // the last two end a line for JavaScript
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, s[:size]...)
		}
		s = s[size:]
	}
	return append(b, '"')
}
