package report

import (
	"fmt"
	"strings"

	"rexecd/tests/bench/measure"
	"rexecd/tests/bench/rig"
)

// The plot is a measure.Plain SVG of horizontal bars, in colours that read on a light and on a dark page. No library draws it:
// it is four panels of rectangles.
const (
	panelWidth, barHeight, labelWidth = 860, 22, 250
	textColour                        = "#808890"
)

type panel struct {
	title, unit string
	figure      string
	stack       string
	more        bool // more is better
}

var panels = []panel{
	{"Connect to NUL, pam_permit: the server's own cost", "ms", "nul", "permit", false},
	{"Connect to end of file of `true`, pam_unix (yescrypt): what a user waits for", "ms", "eof", "unix", false},
	{"Connect to NUL under systemd as process 1, host at rest, pam_permit", "ms", "sd-nul", "permit", false},
	{"Connections per second, 8 at once, pam_permit (more is better)", "/s", "rate8", "permit", true},
}

var barColours = map[string]string{"floor": "#9aa5b1", "netkit": "#b07d3c", "reference": "#7a8ca3", "ours": "#2f81d6", rig.TenRulesName: "#79b3ee", rig.StandbyName: "#2aa876", "ssh": "#a3566b"}

type bar struct {
	server, label string
	value         float64
}

func (p panel) bars(f *measure.Figures) []bar {
	var list []bar
	for _, row := range rows {
		k := measure.KeyOf(p.figure, row.name, p.stack, measure.Plain)
		if p.figure == "eof" && row.name == "ssh" {
			k.Figure = "wall"
		}
		if f.Has(k) {
			list = append(list, bar{row.name, strings.NewReplacer("*", "", "`", "").Replace(row.label), f.Median(k)})
		}
	}
	return list
}

// Plot is results.svg.
func Plot(f *measure.Figures) string {
	var b strings.Builder
	y := 10
	for _, p := range panels {
		y = p.draw(&b, p.bars(f), y)
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`,
		panelWidth, y, panelWidth, y)
	return head + "\n" + b.String() + "</svg>\n"
}

func (p panel) draw(b *strings.Builder, bars []bar, y int) int {
	if len(bars) == 0 {
		return y
	}
	var top float64
	for _, bar := range bars {
		top = max(top, bar.value)
	}
	y += 16
	fmt.Fprintf(b, "<text x=\"8\" y=\"%d\" fill=\"%s\" font-weight=\"bold\">%s</text>\n", y, textColour, escape(p.title))
	y += 8
	for _, bar := range bars {
		width := max(1, bar.value/top*(panelWidth-labelWidth-90))
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" fill=\"%s\" text-anchor=\"end\">%s</text>\n", labelWidth-8, y+15, textColour, escape(shorten(bar.label)))
		fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n", labelWidth, y+2, width, barHeight-5, barColours[bar.server])
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\" fill=\"%s\">%s %s</text>\n", labelWidth+width+6, y+15, textColour, number(bar.value), p.unit)
		y += barHeight
	}
	return y + 14
}

func shorten(label string) string {
	label, _, _ = strings.Cut(label, ", no PAM")
	label, _, _ = strings.Cut(label, " (")
	return label
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "").Replace(s)
}
