package render

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"rexecd/pkg/report"
)

// Text prints the report for people. Lines fit a terminal of a width in columns, 0
// being one without an end; tables have at most rows rows, 0 being all.
func Text(out io.Writer, r *report.Report, width, rows int) error {
	w := bufio.NewWriter(out)
	heading(w, r, width)
	if t := r.Totals; t.First.IsZero() {
		fmt.Fprintln(w, "\nThere is no record.")
	}
	if len(r.Pairs) > 0 {
		fmt.Fprintln(w, "\nWHO, AND FROM WHERE")
		printColumns(w, pairColumns(r.Pairs[:few(len(r.Pairs), rows)]), width)
		for _, line := range morePairs(r, rows) {
			fmt.Fprintln(w, line)
		}
	}
	dropped := report.Dropped{}
	if r.Dropped != nil {
		dropped = *r.Dropped
	}
	names(w, "SOURCES THAT ONLY FAIL", "SOURCE", r.Failing, dropped.Sources, width, rows)
	names(w, "USERS NEVER SEEN TO LOG IN", "USER", r.Strange, dropped.Users, width, rows)
	if r.Change != nil {
		change(w, r, rows)
	}
	for _, line := range caveats(r) {
		fmt.Fprintf(w, "\n%s\n", line)
	}
	return w.Flush()
}

func few(n, rows int) int {
	if rows > 0 {
		return min(n, rows)
	}
	return n
}

// heading is the summary.
func heading(w io.Writer, r *report.Report, width int) {
	t := &r.Totals
	fmt.Fprintf(w, "rexec on %s: %s\n", name(r.Host), period(r))
	parts := []string{counted(t.Sessions, "session"), about(t, counted(t.Sources, "source")), about(t, counted(t.Users, "user")),
		number(t.Failed) + " failed", number(t.Refused) + " refused", counted(t.ProtocolErrors, "protocol error")}
	if t.ConfigErrors > 0 {
		parts = append(parts, counted(t.ConfigErrors, "configuration error"))
	}
	if t.InternalErrors > 0 {
		parts = append(parts, counted(t.InternalErrors, "internal error"))
	}
	wrap(w, parts, ", ", width)
	if t.Ended > 0 {
		parts = []string{"median run " + duration(t.Median), "longest " + duration(t.Longest), "CPU " + duration(t.CPU)}
		if t.Peak > 0 {
			parts = append(parts, "peak memory "+size(t.Peak))
		}
		wrap(w, parts, ", ", width)
	}
}

func about(t *report.Totals, text string) string {
	if t.Estimated {
		return "about " + text
	}
	return text
}

// period is the time from the first to the last record, and the choice.
func period(r *report.Report) string {
	text := "no records"
	if !r.Totals.First.IsZero() {
		text = minute(r.Totals.First) + " to " + minute(r.Totals.Last)
	}
	if r.User != "" {
		text += ", user " + name(r.User)
	}
	if r.From != "" {
		text += ", from " + r.From
	}
	return text + ", " + command(r.Log)
}

// wrap writes parts, with line breaks between them where they do not fit.
func wrap(w io.Writer, parts []string, between string, width int) {
	line := ""
	for i, p := range parts {
		if i < len(parts)-1 {
			p += between
		}
		if width > 0 && line != "" && len(line)+len(strings.TrimRight(p, " ")) > width {
			fmt.Fprintln(w, strings.TrimRight(line, " "))
			line = ""
		}
		line += p
	}
	fmt.Fprintln(w, line)
}

func pairColumns(pairs []report.Pair) []*column {
	columns := []*column{
		{title: "SOURCE", least: 12}, {title: "USER", least: 8}, {title: "SESSIONS", right: true},
		{title: "FAILED", right: true}, {title: "REFUSED", right: true, drop: 4}, {title: "FIRST", drop: 8},
		{title: "LAST", drop: 2}, {title: "MEDIAN", right: true, drop: 3}, {title: "LONGEST", right: true, drop: 6},
		{title: "CPU", right: true, drop: 9}, {title: "PEAK", right: true, drop: 10}, {title: "COMMANDS", least: 20, drop: 7},
	}
	commands := false
	for i := range pairs {
		for j, cell := range pairCells(&pairs[i]) {
			columns[j].cells = append(columns[j].cells, cell)
		}
		commands = commands || len(pairs[i].Commands) > 0
	}
	if !commands {
		columns = columns[:len(columns)-1]
	}
	return columns
}

func pairCells(p *report.Pair) []string {
	cells := []string{name(p.Source), name(p.User), atLeast(p.AtLeast) + number(p.Sessions), number(p.Failed),
		number(p.Refused), day(p.First), day(p.Last), "-", "-", "-", "-", ""}
	if p.Ended > 0 {
		cells[7], cells[8], cells[9] = duration(p.Median), duration(p.Longest), duration(p.CPU)
	}
	if p.Peak > 0 {
		cells[10] = size(p.Peak)
	}
	var commands []string
	for _, c := range p.Commands {
		commands = append(commands, times(c))
	}
	cells[11] = strings.Join(commands, ", ")
	return cells
}

func times(c report.Command) string {
	if c.Times == 1 {
		return command(c.Text)
	}
	return strconv.Itoa(c.Times) + "x " + command(c.Text)
}

func atLeast(is bool) string {
	if is {
		return ">="
	}
	return ""
}

// morePairs says what a table of so many rows does not show.
func morePairs(r *report.Report, rows int) []string {
	n, m := len(r.Pairs)-few(len(r.Pairs), rows), report.More{}
	for _, p := range r.Pairs[len(r.Pairs)-n:] {
		m.Sessions, m.Failed, m.Refused = m.Sessions+p.Sessions, m.Failed+p.Failed, m.Refused+p.Refused
	}
	estimate := ""
	if r.More != nil {
		n, estimate = n+r.More.Pairs, "about "
		m.Sessions += r.More.Sessions
		m.Failed += r.More.Failed
		m.Refused += r.More.Refused
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("and %s%s more: %s, %s failed, %s refused", estimate, number(n),
		counted(m.Sessions, "session"), number(m.Failed), number(m.Refused))}
}
