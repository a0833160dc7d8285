package render

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rexecd/pkg/report"
)

// Metrics are those of an earlier file, which new ones are added to, so that
// counters only grow although journals are rotated away. The zero value has none.
type Metrics struct {
	Cursor string // the place in the journal up to which records were counted
	Ends   bool   // they are not to be counted on from: a choice, or of other logs
	values map[string]float64
}

// A family is one metric with its labels' values.
type family struct {
	name, kind, help string
}

// families in the order of the file. A counter's name ends in _total, as the
// textfile collector's format wants it.
var families = []family{
	{"rexec_sessions_total", "counter", "Commands that were started, by source and user; without labels, those beyond 500 pairs."},
	{"rexec_last_session_timestamp_seconds", "gauge", "When the latest of them was started."},
	{"rexec_sessions_ended_total", "counter", "Commands that ended."},
	{"rexec_run_seconds_total", "counter", "Time that commands ran."},
	{"rexec_cpu_seconds_total", "counter", "CPU time that commands used."},
	{"rexec_peak_memory_bytes", "gauge", "Most memory that a command used."},
	{"rexec_failed_total", "counter", "Logins that failed."},
	{"rexec_refused_total", "counter", "Requests that were refused, those by penalties among them."},
	{"rexec_penalised_total", "counter", "Connections refused by penalties or for too many sessions."},
	{"rexec_protocol_errors_total", "counter", "Connections that did not speak the protocol."},
	{"rexec_configuration_errors_total", "counter", "Connections refused for mistakes in the settings."},
	{"rexec_internal_errors_total", "counter", "Faults of the server's own."},
	{"rexec_records_unreadable_total", "counter", "Records cut off or malformed."},
	{"rexec_records_forged_total", "counter", "Records under the server's name that others wrote."},
	{"rexec_report_timestamp_seconds", "gauge", "When these metrics were written."},
}

// maxSeries bounds what a monitoring system gets: addresses of IPv6 are many.
const maxSeries = 500

const cursorLine = "# cursor "

// ReadMetrics reads what WriteMetrics wrote.
func ReadMetrics(file io.Reader) (*Metrics, error) {
	m := &Metrics{values: map[string]float64{}}
	lines := bufio.NewScanner(file)
	begun, ended := false, false
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if cursor, is := strings.CutPrefix(line, cursorLine); is {
			m.Cursor, begun = cursor, true
		}
		ended = line == "# EOF"
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if at < 0 || err != nil || !strings.HasPrefix(line, "rexec_") {
			return nil, fmt.Errorf("line %d is no metric of rexecd -report: remove the file to begin again", n)
		}
		m.values[line[:at]] = v
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if !ended || !begun {
		return nil, errors.New("no file that rexecd -report -openmetrics -output wrote from the journal: remove it to begin again")
	}
	return m, nil
}

// add adds a report to the metrics.
func (m *Metrics) add(r *report.Report) {
	if m.values == nil {
		m.values = map[string]float64{}
	}
	t := &r.Totals
	for name, v := range map[string]float64{
		"rexec_sessions_ended_total": float64(t.Ended), "rexec_run_seconds_total": t.Ran, "rexec_cpu_seconds_total": t.CPU,
		"rexec_failed_total": float64(t.Failed), "rexec_refused_total": float64(t.Refused),
		"rexec_penalised_total": float64(t.Penalised), "rexec_protocol_errors_total": float64(t.ProtocolErrors),
		"rexec_configuration_errors_total": float64(t.ConfigErrors), "rexec_internal_errors_total": float64(t.InternalErrors),
		"rexec_records_unreadable_total": float64(r.Unreadable), "rexec_records_forged_total": float64(r.Forged),
	} {
		m.values[name] += v
	}
	m.values["rexec_peak_memory_bytes"] = max(m.values["rexec_peak_memory_bytes"], float64(t.Peak))
	m.values["rexec_report_timestamp_seconds"] = float64(r.Made.Unix())
	m.addPairs(r)
}

// addPairs adds the sessions of each pair, as long as there is room: pairs that
// have a series keep it. Failures have none, since peers make up their names.
func (m *Metrics) addPairs(r *report.Report) {
	series := 0
	for s := range m.values {
		if strings.HasPrefix(s, "rexec_sessions_total{") {
			series++
		}
	}
	left := r.Totals.Sessions
	for _, p := range r.Pairs {
		if p.Sessions == 0 {
			continue
		}
		labels := fmt.Sprintf(`{source="%s",user="%s"}`, label(p.Source), label(p.User))
		if _, known := m.values["rexec_sessions_total"+labels]; !known {
			if series >= maxSeries {
				continue
			}
			series++
		}
		left -= p.Sessions
		m.values["rexec_sessions_total"+labels] += float64(p.Sessions)
		last := "rexec_last_session_timestamp_seconds" + labels
		m.values[last] = max(m.values[last], float64(p.Last.Unix()))
	}
	m.values["rexec_sessions_total"] += float64(left)
}

// label is a name in the quotes of a label: name has left no newline in it.
func label(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name(s))
}

// WriteMetrics writes the metrics with a report added, in the text format of
// Prometheus that node_exporter's textfile collector reads; cursor is for the next
// ReadMetrics.
func (m *Metrics) WriteMetrics(out io.Writer, r *report.Report, cursor string) error {
	m.add(r)
	w := bufio.NewWriter(out)
	series := map[string][]string{}
	for _, s := range slices.Sorted(maps.Keys(m.values)) {
		name, _, _ := strings.Cut(s, "{")
		series[name] = append(series[name], s)
	}
	for _, f := range families {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", f.name, f.help, f.kind)
		for _, s := range series[f.name] {
			fmt.Fprintf(w, "%s %s\n", s, strconv.FormatFloat(m.values[s], 'f', -1, 64))
		}
	}
	if !m.Ends {
		fmt.Fprintln(w, cursorLine+strings.Map(func(r rune) rune {
			if r <= ' ' || r > '~' {
				return -1
			}
			return r
		}, cursor))
	}
	fmt.Fprintln(w, "# EOF")
	return w.Flush()
}
