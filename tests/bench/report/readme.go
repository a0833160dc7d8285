package report

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"rexecd/tests/bench/measure"
)

const (
	readmeBegin = "<!-- bench -->\n"
	readmeEnd   = "<!-- /bench -->"
)

// WriteReadme puts the short table between the README's two marks.
func WriteReadme(f *measure.Figures) error {
	text, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), readmeBegin)
	_, after, ok2 := strings.Cut(rest, readmeEnd)
	if !ok || !ok2 {
		return errors.New("README.md has no marks <!-- bench --> and <!-- /bench -->")
	}
	return os.WriteFile("README.md", []byte(before+readmeBegin+summary(f)+readmeEnd+after), 0o644)
}

// summary is the table of the README: what a user waits for, and what a host pays.
func summary(f *measure.Figures) string {
	columns := []struct{ figure, stack, title string }{
		{"nul", "permit", "command starts, ms"},
		{"eof", "permit", "`true` ends, ms"},
		{"eof", "unix", "the same with a yescrypt password"},
		{"sd-nul", "permit", "command starts under systemd"},
		{"rate8", "permit", "connections/s, 8 at once"},
		{"dirty", "permit", "KB kept while a command runs"},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n![Latency and throughput beside netkit, a C reference and OpenSSH](tests/bench/results.svg)\n\n| |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---:|", len(columns)))
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |", row.label)
		for _, c := range columns {
			k := measure.KeyOf(c.figure, row.name, c.stack, measure.Plain)
			if row.name == "ssh" && c.figure == "eof" {
				k.Figure = "wall"
			}
			switch {
			case !f.Has(k):
				b.WriteString(" |")
			case c.figure == "dirty" && f.Median(k) == 0:
				b.WriteString(" none |")
			default:
				fmt.Fprintf(&b, " %s |", number(f.Median(k)))
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\nMedians, all servers side by side in one private host, PAM with pam_permit unless said otherwise; `make bench` (root) repeats it.\nEverything else, with the targets and the misses: [results.md](tests/bench/results.md).\n%s", machine())
	return b.String()
}
