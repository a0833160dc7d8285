package render

import (
	"fmt"
	"io"

	"rexecd/pkg/report"
)

// names is a table of users or sources.
func names(w io.Writer, heading, title string, list []report.Named, dropped, width, rows int) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	columns := []*column{
		{title: title, least: 12}, {title: "FAILED", right: true}, {title: "REFUSED", right: true, drop: 2},
		{title: "PROTOCOL", right: true, drop: 3}, {title: "FIRST", drop: 4}, {title: "LAST", drop: 1},
	}
	shown := few(len(list), rows)
	for _, n := range list[:shown] {
		for i, cell := range []string{name(n.Name), atLeast(n.AtLeast) + number(n.Failed), number(n.Refused),
			number(n.ProtocolErrors), minute(n.First), minute(n.Last)} {
			columns[i].cells = append(columns[i].cells, cell)
		}
	}
	printColumns(w, columns, width)
	if text := more(len(list)-shown, dropped); text != "" {
		fmt.Fprintln(w, text)
	}
}

// more says how many are not shown: some that the report has, and some, estimated,
// that it has not.
func more(hidden, dropped int) string {
	switch {
	case dropped > 0:
		return "and about " + number(hidden+dropped) + " more"
	case hidden > 0:
		return "and " + number(hidden) + " more"
	}
	return ""
}

// change compares with the span before.
func change(w io.Writer, r *report.Report, rows int) {
	c, t := r.Change, &r.Totals
	fmt.Fprintf(w, "\nAGAINST THE SPAN BEFORE, FROM %s\n", minute(c.Since))
	for _, line := range []struct {
		what     string
		was, now int
	}{
		{"sessions", c.Sessions, t.Sessions}, {"failed", c.Failed, t.Failed}, {"refused", c.Refused, t.Refused},
		{"sources", c.Sources, t.Sources}, {"users", c.Users, t.Users},
	} {
		fmt.Fprintf(w, "%-9s %s, was %s\n", line.what, number(line.now), number(line.was))
	}
	uses(w, "new", c.New, rows)
	uses(w, "gone", c.Gone, rows)
}

func uses(w io.Writer, word string, list []report.Use, rows int) {
	shown := few(len(list), rows)
	for _, u := range list[:shown] {
		fmt.Fprintf(w, "%-9s %s from %s, %s\n", word, name(u.User), name(u.Source), counted(u.Sessions, "session"))
	}
	if more := len(list) - shown; more > 0 {
		fmt.Fprintf(w, "%-9s and %s more\n", word, number(more))
	}
}

// caveats are what a reader must know of how far the report can be believed.
func caveats(r *report.Report) (notes []string) {
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if r.Incomplete != "" {
		add("Incomplete, the log was not read to its end: %s", command(r.Incomplete))
	}
	if r.Forged > 0 {
		add("Not counted: %s under the server's name that the journal says others wrote.", counted(r.Forged, "record"))
	}
	if r.Unreadable > 0 {
		add("Not counted: %s cut off or malformed.", counted(r.Unreadable, "record"))
	}
	if r.More != nil {
		add("There were more names and addresses than are kept; figures with >= are lower bounds, and the totals are exact.")
	}
	if r.Change != nil && r.Change.Unknown {
		add("Who is new or gone is not known in full: more users at sources had sessions than are kept.")
	}
	if !r.Verified {
		add("A file does not prove who wrote a line: every local user can write such lines with logger(1).")
	}
	return notes
}
