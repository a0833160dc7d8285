package settings

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// position returns the line and the column, in characters, of an offset. It
// counts on from the last one, or each setting of a long file would cost a
// count of all before it.
func (d *decoder) position(offset int) (line, column int) {
	if offset < d.counted {
		d.counted, d.lines = 0, 0
	}
	d.lines += bytes.Count(d.text[d.counted:offset], []byte("\n"))
	d.counted = offset
	return d.lines + 1, utf8.RuneCount(d.text[1+bytes.LastIndexByte(d.text[:offset], '\n'):offset]) + 1
}

func (d *decoder) origin(offset int) Origin {
	line, column := d.position(offset)
	return Origin{d.file, line, column}
}

func (d *decoder) errorf(offset int, format string, args ...any) error {
	line, column := d.position(offset)
	return fmt.Errorf("%s:%d:%d: %s", d.file, line, column, fmt.Sprintf(format, args...))
}

// syntaxError is the error of a text that is no TOML. Most often that is a value
// without its quotes, for which the parser would report that "nan" was expected.
func (d *decoder) syntaxError(here place, syntax *unstable.ParserError) error {
	offset := int(d.parser.Range(syntax.Highlight).Offset)
	start := bytes.LastIndexByte(d.text[:offset], '\n') + 1
	line, _, _ := bytes.Cut(d.text[start:], []byte("\n"))
	line, _, _ = bytes.Cut(line, []byte("#"))
	name, value, _ := bytes.Cut(line, []byte("="))
	at := start + len(line) - len(bytes.TrimLeft(value, " \t"))
	k := here.table.find(string(bytes.TrimSpace(name)))
	value = bytes.TrimSpace(value)
	if k == nil || k.value == nil || offset < at || offset >= start+len(line) || bytes.ContainsAny(value, "\"'[{") {
		return d.errorf(offset, "%s", ascii(syntax.Message))
	}
	return d.errorf(at, "%s = %s: must be %s", here.name+k.name, ascii(cut(value)), k.value.allowed())
}

func (d *decoder) twice(offset int, name string, first definition) error {
	line, _ := d.position(first.offset)
	return d.errorf(offset, "%s is defined twice, first in line %d", name, line)
}

// mostShown is how much of a value an error shows: it goes to the log.
const mostShown = 60

// show writes a value as it stands in the file.
func (d *decoder) show(v *unstable.Node) string {
	switch v.Kind {
	case unstable.String:
		return quote(v.Data)
	case unstable.Array:
		return "a list"
	case unstable.InlineTable:
		return "a table"
	}
	return cut(v.Data) // digits, by the parser's word
}

func cut(text []byte) string {
	if len(text) > mostShown {
		return string(text[:mostShown]) + "..."
	}
	return string(text)
}

// ascii replaces what is not printable ASCII.
func ascii(message string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, message)
}

func quote(text []byte) string {
	if len(text) > mostShown {
		return strconv.QuoteToASCII(string(text[:mostShown])) + "..."
	}
	return strconv.QuoteToASCII(string(text))
}
