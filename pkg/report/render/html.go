package render

import (
	_ "embed"
	"html/template"
	"io"

	"rexecd/pkg/report"
)

//go:embed page.html
var pageText string

// The template escapes by where a text stands. Names have gone through name before:
// an escaped right-to-left mark would still turn the line around.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"name": name, "number": number, "duration": duration, "size": size, "day": day, "minute": minute, "counted": counted,
	"command": command,
}).Parse(pageText))

// A sheet is what the template is given.
type sheet struct {
	*report.Report
	Period, About            string
	Heat, Sessions, Failures plot
	Times, Top               plot
	Rows                     []report.Pair
	MoreRows, Notes          []string
	FailingRows, StrangeRows []report.Named
	MoreFailing, MoreStrange string
	CommandRows              []report.Command
	New, Gone                []report.Use
	MoreNew, MoreGone        int
	AnyFailures, AnyEnded    bool
}

// HTML writes the report as one page that needs nothing else: no scripts, no
// fonts, no pictures from elsewhere. Tables have at most rows rows, 0 being all.
func HTML(w io.Writer, r *report.Report, rows int) error {
	t := &r.Totals
	s := sheet{
		Report: r, Period: period(r), Notes: caveats(r),
		Heat: heatMap(r.Week), Times: runTimes(r.Runs), Top: topSources(r.Sources, r.Failing),
		Sessions: overTime("Sessions over time", r.Hours, []series{
			{"sessions", "sessions", func(h *report.Hour) int { return h.Sessions }}}),
		Failures: overTime("Failures over time", r.Hours, []series{
			{"failed", "failed", func(h *report.Hour) int { return h.Failed }},
			{"refused", "refused", func(h *report.Hour) int { return h.Refused }},
			{"protocol", "protocol errors", func(h *report.Hour) int { return h.Errors }}}),
		Rows: r.Pairs[:few(len(r.Pairs), rows)], MoreRows: morePairs(r, rows),
		CommandRows: r.Commands[:min(len(r.Commands), 15)],
		AnyFailures: t.Failed+t.Refused+t.ProtocolErrors > 0, AnyEnded: t.Ended > 0,
	}
	if t.Estimated {
		s.About = "about "
	}
	dropped := report.Dropped{}
	if r.Dropped != nil {
		dropped = *r.Dropped
	}
	var hidden int
	s.FailingRows, hidden = head(r.Failing, rows)
	s.MoreFailing = more(hidden, dropped.Sources)
	s.StrangeRows, hidden = head(r.Strange, rows)
	s.MoreStrange = more(hidden, dropped.Users)
	if r.Change != nil {
		s.New, s.MoreNew = head(r.Change.New, rows)
		s.Gone, s.MoreGone = head(r.Change.Gone, rows)
	}
	return page.Execute(w, s)
}

// head returns at most rows of a list, and how many are left.
func head[T any](list []T, rows int) ([]T, int) {
	n := few(len(list), rows)
	return list[:n], len(list) - n
}
