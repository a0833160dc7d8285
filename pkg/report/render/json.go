package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"rexecd/pkg/report"
)

// JSON prints the report as one object.
func JSON(w io.Writer, r *report.Report) error {
	e := json.NewEncoder(&escaper{w})
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// An escaper writes what an encoder of JSON has made, and escapes what a terminal
// would obey: package json leaves C1 characters and marks of direction as they are.
// All of them are in strings.
type escaper struct{ out io.Writer }

func (e *escaper) Write(text []byte) (int, error) {
	var b strings.Builder
	for _, r := range string(text) { // the encoder writes a value at once
		switch {
		case r == '\n' || strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	if _, err := io.WriteString(e.out, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}
