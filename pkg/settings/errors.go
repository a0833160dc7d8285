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

func (d *decoder) errorf(offset int, format string, args ...any) error {
	line, column := d.position(offset)
	return fmt.Errorf("%s:%d:%d: %s", d.file, line, column, fmt.Sprintf(format, args...))
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
	if len(v.Data) > mostShown { // digits, by the parser's word
		return string(v.Data[:mostShown]) + "..."
	}
	return string(v.Data)
}

// ascii replaces what else is in a message of the parser: the byte at fault,
// which it takes for a character.
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
