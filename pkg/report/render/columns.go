package render

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A column of a table in text. Where the terminal is too narrow, columns shrink to
// their least width, then go, the highest drop first; 0 never goes.
type column struct {
	title string
	right bool
	least int // 0: it does not shrink
	drop  int
	cells []string
	width int
}

const gap = 2

// fit sets the columns' widths for a terminal, 0 being one without an end, and
// returns those that stay.
func fit(columns []*column, terminal int) []*column {
	for {
		over := -gap - terminal
		for _, c := range columns {
			c.width = utf8.RuneCountInString(c.title)
			for _, cell := range c.cells {
				c.width = max(c.width, utf8.RuneCountInString(cell))
			}
			over += c.width + gap
		}
		if terminal == 0 || shrink(columns, over) {
			return columns
		}
		gone := 0
		for i, c := range columns {
			if c.drop > columns[gone].drop {
				gone = i
			}
		}
		if columns[gone].drop == 0 {
			return columns
		}
		columns = append(columns[:gone:gone], columns[gone+1:]...)
	}
}

// shrink makes columns narrower, the widest first, and reports whether that was
// enough.
func shrink(columns []*column, over int) bool {
	for over > 0 {
		var widest *column
		for _, c := range columns {
			if c.least > 0 && c.width > c.least && (widest == nil || c.width > widest.width) {
				widest = c
			}
		}
		if widest == nil {
			return false
		}
		less := min(over, widest.width-widest.least)
		widest.width -= less
		over -= less
	}
	return true
}

// printColumns writes a table.
func printColumns(w io.Writer, columns []*column, terminal int) {
	if len(columns) == 0 || len(columns[0].cells) == 0 {
		return
	}
	columns = fit(columns, terminal)
	line := func(cell func(*column) string) {
		var b strings.Builder
		for i, c := range columns {
			text := shorten(cell(c), c.width)
			space := strings.Repeat(" ", c.width-utf8.RuneCountInString(text))
			switch {
			case c.right:
				text = space + text
			case i < len(columns)-1:
				text += space
			}
			if i > 0 {
				b.WriteString(strings.Repeat(" ", gap))
			}
			b.WriteString(text)
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(func(c *column) string { return c.title })
	for row := range columns[0].cells {
		line(func(c *column) string { return c.cells[row] })
	}
}

func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width-1, 0)]) + "…"
}
