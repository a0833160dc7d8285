package render

import (
	"fmt"
	"math"
	"slices"
	"time"

	"rexecd/pkg/report"
)

// A plot is the geometry of one drawing, in its own units.
type plot struct {
	Label         string // for who cannot see it
	Width, Height float64
	Rects         []rect
	Lines         []line
	Texts         []caption
}

type rect struct {
	X, Y, W, H float64
	Class      string
	Opacity    float64
	Title      string
	Value      int
}

type line struct{ X1, Y1, X2, Y2 float64 }

type caption struct {
	X, Y   float64
	Anchor string
	Text   string
}

func (p *plot) text(x, y float64, anchor, text string) {
	p.Texts = append(p.Texts, caption{x, y, anchor, text})
}

var weekdays = [...]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// heatMap has a cell for each hour of the week, the darker the more sessions.
func heatMap(week [7][24]int) plot {
	const left, top, w, h, space = 44, 22, 38, 24, 3
	p := plot{Label: "Sessions by day of the week and hour", Width: left + 24*(w+space), Height: top + 7*(h+space)}
	most := 0
	for _, day := range week {
		most = max(most, slices.Max(day[:]))
	}
	for hour := 0; hour < 24; hour += 2 {
		p.text(left+float64(hour)*(w+space)+w/2, top-8, "middle", fmt.Sprintf("%02d", hour))
	}
	for d, day := range week {
		y := top + float64(d)*(h+space)
		p.text(left-10, y+h/2+4, "end", weekdays[d])
		for hour, n := range day {
			r := rect{left + float64(hour)*(w+space), y, w, h, "none", 1,
				fmt.Sprintf("%s %02d:00: %s", weekdays[d], hour, counted(n, "session")), n}
			if n > 0 {
				r.Class, r.Opacity = "heat", round(0.18+0.82*math.Sqrt(float64(n)/float64(most)))
			}
			p.Rects = append(p.Rects, r)
		}
	}
	return p
}

func round(x float64) float64 { return math.Round(x*100) / 100 }

// A series is one of the counts of an hour, and how it is drawn.
type series struct {
	class, what string
	of          func(*report.Hour) int
}

// overTime draws stacked bars for hours, days, weeks or months.
func overTime(label string, hours []report.Hour, all []series) plot {
	const width, height, left, top, bottom = 520, 210, 40, 12, 26
	p := plot{Label: label, Width: width, Height: height}
	if len(hours) == 0 {
		return p
	}
	buckets := partition(hours[0].Begin.Local(), hours[len(hours)-1].Begin.Local())
	counts := make([][]int, len(buckets)-1)
	most := 1
	for i := range hours {
		at, found := slices.BinarySearchFunc(buckets, hours[i].Begin, time.Time.Compare)
		if !found {
			at--
		}
		at = min(max(at, 0), len(counts)-1)
		if counts[at] == nil {
			counts[at] = make([]int, len(all))
		}
		sum := 0
		for j, s := range all {
			counts[at][j] += s.of(&hours[i])
			sum += counts[at][j]
		}
		most = max(most, sum)
	}
	ceiling := nice(most)
	scale := (height - top - bottom) / float64(ceiling)
	for _, n := range ticks(ceiling) {
		y := round(height - bottom - float64(n)*scale)
		p.Lines = append(p.Lines, line{left, y, width, y})
		p.text(left-6, y+4, "end", number(n))
	}
	step := (width - left) / float64(len(counts))
	for i, c := range counts {
		y := float64(height - bottom)
		for j, n := range c {
			if n == 0 {
				continue
			}
			h := float64(n) * scale
			y -= h
			title := fmt.Sprintf("%s: %s %s", buckets[i].Format(tickFormat(buckets)), number(n), all[j].what)
			p.Rects = append(p.Rects, rect{X: round(left + float64(i)*step), Y: round(y),
				W: round(max(min(step*0.82, 40), 0.6)), H: round(h), Class: all[j].class, Opacity: 1,
				Title: title, Value: n})
		}
	}
	p.timeTicks(buckets, left, step, height-8)
	return p
}

// partition returns the bounds of at most some 120 buckets.
func partition(first, last time.Time) []time.Time {
	y, m, d := first.Date()
	at := time.Date(y, m, d, 0, 0, 0, 0, first.Location())
	next := func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	switch days := last.Sub(first).Hours() / 24; {
	case days <= 4:
		at = first.Truncate(time.Hour)
		next = func(t time.Time) time.Time { return t.Add(time.Hour) }
	case days <= 120:
	case days <= 800:
		at = at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
		next = func(t time.Time) time.Time { return t.AddDate(0, 0, 7) }
	default:
		at = time.Date(y, m, 1, 0, 0, 0, 0, first.Location())
		next = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	}
	bounds := []time.Time{at}
	for !at.After(last) {
		at = next(at)
		bounds = append(bounds, at)
	}
	return bounds
}

// tickFormat is how finely the buckets' beginnings are written.
func tickFormat(buckets []time.Time) string {
	switch step := buckets[1].Sub(buckets[0]); {
	case step < 20*time.Hour:
		return "2 Jan 15:04"
	case step < 20*24*time.Hour:
		return "2 Jan 2006"
	}
	return "Jan 2006"
}

// timeTicks writes some beginnings of buckets below the bars.
func (p *plot) timeTicks(buckets []time.Time, left, step, y float64) {
	every := max((len(buckets)+3)/5, 1)
	for i := 0; i < len(buckets)-1; i += every {
		x, anchor := left+float64(i)*step, "start"
		if p.Width-x < 70 {
			x, anchor = p.Width, "end"
		}
		p.text(round(x), y, anchor, buckets[i].Format(tickFormat(buckets)))
	}
}

// nice is the least of 1, 2, 3, 4, 6, 8, 10, 20, … that is not less than n.
func nice(n int) int {
	for power := 1; ; power *= 10 {
		for _, f := range []int{1, 2, 3, 4, 6, 8} {
			if f*power >= n {
				return f * power
			}
		}
	}
}

func ticks(ceiling int) []int {
	if ceiling%2 > 0 {
		return []int{0, ceiling}
	}
	return []int{0, ceiling / 2, ceiling}
}

// runTimes has a bar for each range of run times.
func runTimes(runs []report.Run) plot {
	const width, left, step = 520, 110, 36
	p := plot{Label: "How long commands ran", Width: width, Height: float64(len(runs)) * step}
	most := 1
	for _, r := range runs {
		most = max(most, r.Sessions)
	}
	for i, r := range runs {
		text := "longer"
		if r.Below > 0 {
			text = "under " + bound(r.Below)
		}
		p.bar(float64(i)*step, left, step, text, most, number(r.Sessions), []part{{"sessions", r.Sessions}})
	}
	return p
}

func bound(seconds float64) string {
	return map[float64]string{0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 86400: "1 day"}[seconds]
}

// topSources has a bar for each of the sources with most sessions, and failures
// beside them.
func topSources(sources, failing []report.Named) plot {
	const width, left, step, most = 520, 170, 24, 12
	fails := min(len(failing), most/3)
	list := slices.Concat(sources[:min(len(sources), most-fails)], failing[:fails])
	p := plot{Label: "Sources with most sessions, and with failures alone", Width: width}
	p.Height = float64(max(len(list), 1)) * step
	longest := 1
	for i := range list {
		longest = max(longest, list[i].Sessions+list[i].Bad())
	}
	for i := range list {
		n := &list[i]
		p.bar(float64(i)*step, left, step, shorten(name(n.Name), 24), longest, number(n.Sessions+n.Bad()),
			[]part{{"sessions", n.Sessions}, {"failed", n.Bad()}})
	}
	return p
}

// A part is one of those that a bar consists of.
type part struct {
	class string
	n     int
}

// bar is a horizontal bar between a label and a figure.
func (p *plot) bar(y, left, step float64, text string, most int, figure string, parts []part) {
	const right = 64
	p.text(left-10, y+step/2+4, "end", text)
	x := left
	for _, part := range parts {
		if part.n == 0 {
			continue
		}
		w := max((p.Width-left-right)*float64(part.n)/float64(most), 1)
		p.Rects = append(p.Rects, rect{X: round(x), Y: y + step/6, W: round(w), H: step * 2 / 3, Class: part.class,
			Opacity: 1, Title: text + ": " + number(part.n) + " " + part.class, Value: part.n})
		x += w
	}
	p.text(round(x+8), y+step/2+4, "start", figure)
}
