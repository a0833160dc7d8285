// Package render shows a report: on a terminal, as JSON, as a page of HTML, and as
// metrics.
//
// Names and commands in a report are as peers sent them. Everything that leaves
// this package has gone through Name, or through an encoder of the format.
package render

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// name makes a name or command harmless: one line that no terminal, spreadsheet or
// right-to-left character can turn into anything else. It is returned unchanged
// where it is harmless, and otherwise in Go's quotes.
func name(s string) string {
	if s == "" {
		return "-"
	}
	if strings.ContainsRune(s, ' ') {
		return quote(s)
	}
	return command(s)
}

// command is name for what people read as a line: spaces are usual in it.
func command(s string) string {
	strange := func(r rune) bool { return !plain(r) }
	if s == "" || strings.IndexByte("=+-@\"' ", s[0]) >= 0 || strings.IndexFunc(s, strange) >= 0 {
		return quote(s)
	}
	return s
}

// plain characters are ASCII's and the Latin letters, which are one column wide and
// run from left to right.
func plain(r rune) bool {
	return r >= ' ' && r <= '~' || r == '…' || r < 0x250 && unicode.Is(unicode.Latin, r)
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"', r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case plain(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteToASCII(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	b.WriteByte('"')
	return b.String()
}

// number is 1234567 as 1,234,567.
func number(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// counted is "1 session", "2 sessions".
func counted(n int, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "ss"):
		what += "es"
	default:
		what += "s"
	}
	return number(n) + " " + what
}

// duration is a time with two figures that matter.
func duration(seconds float64) string {
	switch {
	case seconds < 10:
		return strconv.FormatFloat(seconds, 'f', 1, 64) + "s"
	case seconds < 59.5:
		return strconv.FormatFloat(seconds, 'f', 0, 64) + "s"
	}
	n := int(math.Round(seconds))
	switch {
	case n < 3600:
		return strconv.Itoa(n/60) + "m" + two(n%60, "s")
	case n < 24*3600-30:
		n = (n + 30) / 60
		return strconv.Itoa(n/60) + "h" + two(n%60, "m")
	}
	n = (n + 1800) / 3600
	return strconv.Itoa(n/24) + "d" + two(n%24, "h")
}

func two(n int, unit string) string {
	if n < 10 {
		return "0" + strconv.Itoa(n) + unit
	}
	return strconv.Itoa(n) + unit
}

// size is a number of bytes, never 0 MB.
func size(bytes int64) string {
	switch mb := (bytes + 999_999) / 1_000_000; {
	case mb < 10_000:
		return number(int(mb)) + " MB"
	default:
		return number(int((mb+500)/1000)) + " GB"
	}
}

// Times are in the host's zone.
func day(t time.Time) string    { return t.Local().Format("2006-01-02") }
func minute(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
