package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/report"
	"rexecd/pkg/report/render"
)

// reportOptions are the flags of -report.
type reportOptions struct {
	asked               bool
	since, until        string
	user, from          string
	files               []string
	html, output, order string
	openmetrics         bool
	rows                int
}

// ofReport are flags of -report alone; -json is -check's as well.
var ofReport = []string{"since", "until", "user", "from", "file", "html", "output", "openmetrics", "sort", "rows"}

func (o *reportOptions) define(f *flag.FlagSet) {
	f.BoolVar(&o.asked, "report", false, "")
	f.StringVar(&o.since, "since", "", "")
	f.StringVar(&o.until, "until", "", "")
	f.StringVar(&o.user, "user", "", "")
	f.StringVar(&o.from, "from", "", "")
	f.Func("file", "", func(name string) error { o.files = append(o.files, name); return nil })
	f.StringVar(&o.html, "html", "", "")
	f.StringVar(&o.output, "output", "", "")
	f.BoolVar(&o.openmetrics, "openmetrics", false, "")
	f.StringVar(&o.order, "sort", "sessions", "")
	f.IntVar(&o.rows, "rows", 40, "")
}

// filter reads what the flags choose.
func (o *reportOptions) filter(now time.Time) (f report.Filter, err error) {
	if f.Since, err = parseWhen("-since", o.since, now); err != nil {
		return f, err
	}
	if f.Until, err = parseWhen("-until", o.until, now); err != nil {
		return f, err
	}
	if !f.Since.IsZero() && (f.Since.After(now) || !f.Until.IsZero() && !f.Since.Before(f.Until)) {
		return f, fmt.Errorf("-since %s: nothing lies between it and the end of the span", o.since)
	}
	f.User = o.user
	if o.from != "" {
		if f.From, err = netip.ParsePrefix(o.from); err != nil {
			addr, err := netip.ParseAddr(o.from)
			if err != nil {
				return f, fmt.Errorf("-from %q: it takes an address or a network in numbers, such as 192.0.2.0/24", o.from)
			}
			addr = addr.Unmap()
			f.From = netip.PrefixFrom(addr, addr.BitLen())
		}
		f.From = f.From.Masked()
	}
	return f, nil
}

// check finds values that cannot be, and outputs that exclude each other.
func (o *reportOptions) check(json bool) error {
	outputs := 0
	for _, on := range []bool{json, o.html != "", o.openmetrics} {
		if on {
			outputs++
		}
	}
	switch {
	case outputs > 1:
		return errors.New("-json, -html and -openmetrics exclude each other")
	case !slices.Contains(report.Sorts, o.order):
		return fmt.Errorf("-sort %q: it takes one of %s", o.order, strings.Join(report.Sorts, ", "))
	case o.rows < 0:
		return errors.New("-rows takes a number from 1, or 0 for all")
	case o.output != "" && !json && !o.openmetrics:
		return errors.New("-output goes with -json or -openmetrics; -html names its file itself")
	case o.openmetrics && o.output != "" && (o.since != "" || o.until != "" || o.user != "" || o.from != ""):
		return errors.New("-openmetrics with -output counts on from where it stopped: -since, -until, -user and -from do not go with it")
	}
	return nil
}

// makeReport is -report. An error of reading does not keep it from printing what
// it has, except into metrics: those must count everything.
func makeReport(out *os.File, o options) error {
	now := time.Now()
	filter, err := o.report.filter(now)
	if err == nil {
		err = o.report.check(o.json)
	}
	if err != nil {
		return &misuse{err}
	}
	metrics := &carried{Metrics: &render.Metrics{Ends: true}}
	if o.report.countsOn() {
		if metrics, err = readMetrics(o.report.output); err != nil {
			return err
		}
	}
	tally := report.New(filter, now)
	tally.After(metrics.Cursor)
	logs := &logReader{tally: tally, now: now}
	err = logs.read(o.report.files)
	r := tally.Report(o.report.order)
	r.Made, r.Log, r.Verified = now, logs.names(), logs.verified
	if r.Host, _ = os.Hostname(); r.Host == "" {
		r.Host = "this host"
	}
	if err != nil {
		r.Incomplete = err.Error()
		if o.report.openmetrics {
			return err
		}
	}
	return errors.Join(err, o.report.print(out, o.json, r, func(w io.Writer) error {
		return errors.Join(metrics.WriteMetrics(w, r, tally.Cursor()), metrics.unchanged())
	}))
}

// print writes the report in the form that the flags ask for.
func (o *reportOptions) print(out *os.File, json bool, r *report.Report, metrics func(io.Writer) error) error {
	const private, public = 0o600, 0o644 // node_exporter is not root
	switch {
	case o.html != "":
		return replaceFile(out, o.html, private, func(w io.Writer) error { return render.HTML(w, r, o.rows) })
	case json:
		return replaceFile(out, o.output, private, func(w io.Writer) error { return render.JSON(w, r) })
	case o.openmetrics:
		return replaceFile(out, o.output, public, metrics)
	}
	return render.Text(out, r, columnsOf(out), o.rows)
}

// columnsOf is the width of a terminal, 0 for anything else.
func columnsOf(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// parseWhen reads a time: a date, with or without a time of the day; how long ago,
// such as 7d; today, yesterday or now; or @ and seconds since 1970.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	y, m, d := now.Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	var n int64
	var unit string
	if k, _ := fmt.Sscanf(text, "@%d%s", &n, &unit); k == 1 && n >= 0 {
		return time.Unix(n, 0), nil
	}
	if k, _ := fmt.Sscanf(strings.TrimPrefix(text, "-"), "%d%s", &n, &unit); k == 2 && n >= 0 && n < 100_000 {
		switch unit {
		case "m", "min":
			return now.Add(-time.Duration(n) * time.Minute), nil
		case "h":
			return now.Add(-time.Duration(n) * time.Hour), nil
		case "d":
			return now.AddDate(0, 0, -int(n)), nil
		case "w":
			return now.AddDate(0, 0, -7*int(n)), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: it takes a date (2026-11-26), a date and time (\"2026-11-26 06:00\"), how long ago (90m, 12h, 7d, 4w), today or yesterday", flag, text)
}
