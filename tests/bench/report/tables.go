// Package report writes what was measured: results.md, results.svg, and the table in
// the README.
package report

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"rexecd/tests/bench/measure"
	"rexecd/tests/bench/rig"
)

// A target is a ratio that the project promised itself.
type target struct {
	text  string
	value func(*measure.Figures) float64
	limit float64
	least bool // the value must be at least the limit, else at most
}

func (t target) met(f *measure.Figures) bool {
	v := t.value(f)
	return v != 0 && (t.least == (v >= t.limit) || v == t.limit)
}

// against is the ratio of one server's figure to another's.
func against(figure, a, b, stack, stderr string) func(*measure.Figures) float64 {
	return func(f *measure.Figures) float64 {
		return f.Ratio(measure.KeyOf(figure, a, stack, stderr), measure.KeyOf(figure, b, stack, stderr))
	}
}

func absolute(k measure.Key) func(*measure.Figures) float64 {
	return func(f *measure.Figures) float64 { return f.Median(k) }
}

// nextToWall is connect to end of file beside the wall time of ssh.
func nextToWall(server, stack string) func(*measure.Figures) float64 {
	return func(f *measure.Figures) float64 {
		return f.Ratio(measure.KeyOf("wall", server, stack, measure.Plain), measure.KeyOf("wall", "ssh", stack, measure.Plain))
	}
}

var targets = []target{
	{"connect to NUL, pam_permit, against netkit", against("nul", "ours", "netkit", "permit", measure.Plain), 1.5, false},
	{"connect to EOF, pam_permit, against netkit", against("eof", "ours", "netkit", "permit", measure.Plain), 1.35, false},
	{"connect to NUL, pam_unix, against netkit", against("nul", "ours", "netkit", "unix", measure.Plain), 1.05, false},
	{"connect to EOF, pam_unix, against netkit", against("eof", "ours", "netkit", "unix", measure.Plain), 1.05, false},
	{"connections/s at 8, pam_permit, against netkit", against("rate8", "ours", "netkit", "permit", measure.Plain), 0.65, true},
	{"connections/s at 8, pam_unix, against netkit", against("rate8", "ours", "netkit", "unix", measure.Plain), 0.95, true},
	{"connect to EOF, pam_unix, against ssh with a password", nextToWall("ours", "unix"), 0.25, false},
	{"stdout throughput against the floor", against("stdout", "ours", "floor", "permit", measure.Plain), 0.97, true},
	{"stderr throughput against the floor", against("stderr", "ours", "floor", "permit", measure.Plain), 0.97, true},
	{"stdin throughput against the floor", against("stdin", "ours", "floor", "permit", measure.Plain), 0.97, true},
	{"waiting parent, private dirty KB, pam_permit", absolute(measure.KeyOf("dirty", "ours", "permit", measure.Plain)), 850, false},
	{"ten rules in the settings: connect to NUL, pam_permit, against none", against("nul", rig.TenRulesName, "ours", "permit", measure.Plain), 1.05, false},
	{"1,000 held sessions: the next one's latency against the first's", absolute(measure.KeyOf("held-next", "ours", "permit", measure.Plain)), 1.3, false},
}

var standbyTargets = []target{
	{"standby: connect to NUL, pam_permit, against netkit", against("nul", rig.StandbyName, "netkit", "permit", measure.Plain), 0.45, false},
	{"standby: connect to NUL, pam_unix, against netkit", against("nul", rig.StandbyName, "netkit", "unix", measure.Plain), 0.97, false},
	{"standby: connections/s at 8, pam_permit, against netkit", against("rate8", rig.StandbyName, "netkit", "permit", measure.Plain), 1.15, true},
	{"standby: connections/s at 8, pam_unix, against netkit", against("rate8", rig.StandbyName, "netkit", "unix", measure.Plain), 1, true},
	{"standby: CPU a connection, pam_permit, supervisor and zygote included, against netkit", against("cpu", rig.StandbyName, "netkit", "permit", measure.Plain), 0.95, false},
	{"standby: waiting parent, private dirty KB, pam_permit", absolute(measure.KeyOf("dirty", rig.StandbyName, "permit", measure.Plain)), 850, false},
	{"standby: 1,000 held sessions: the next one's latency against the first's", absolute(measure.KeyOf("held-next", rig.StandbyName, "permit", measure.Plain)), 1.1, false},
	{"standby under systemd: connect to NUL, pam_permit, against netkit by Accept=yes", against("sd-nul", rig.StandbyName, "netkit", "permit", measure.Plain), 0.3, false},
}

// Markdown is results.md.
func Markdown(f *measure.Figures, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What one connection costs\n\nMade by `make bench` (`go run ./tests/bench`) in %s; the plot is results.svg.\n\n%s\n", took.Round(time.Second), machine())
	b.WriteString(method)
	targetTable(&b, f)
	for _, stack := range rig.Stacks {
		for _, stderr := range []bool{false, true} {
			connectionTable(&b, f, stack.Name, measure.Variant(stderr))
		}
	}
	section(&b, f, "Throughput, GB/s through one command, best round", "permit", measure.Plain, []column{{"stdout", "stdout"}, {"stderr", "stderr"}, {"stdin", "stdin"}}, "floor")
	section(&b, f, "1,000 sessions held open (pam_permit)", "permit", measure.Plain,
		[]column{{"held", "served"}, {"held-next", "next one's NUL / first's"}, {"held-private", "private KB each"}, {"held-pss", "proportional KB each"}}, "")
	for _, stack := range rig.Stacks {
		for _, stderr := range []bool{false, true} {
			section(&b, f, fmt.Sprintf("Under systemd as process 1, host at rest: pam_%s, %s", stack.Name, stderrText(measure.Variant(stderr))), stack.Name, measure.Variant(stderr),
				[]column{{"sd-nul", "NUL ms"}, {"sd-eof", "EOF ms"}, {"sd-rate8", "connections/s at 8"}, {"sd-cpu", "CPU ms, systemd's included"}}, "netkit")
		}
	}
	return b.String()
}

const method = `Every server was run side by side in one private host, one after the other in each round and each round beginning with
another one, with a soft limit of 1024 descriptors (what super-servers give) and the same account. Each figure is the median
over the rounds; a ratio is the median over the rounds of the two servers' ratio within one round. "NUL" is from connect()
to the status byte, when the user's command starts; "EOF" is to the end of the output of ` + "`true`" + `. CPU and page
faults are all that the connection's processes used, the command included. The client has a network namespace of its own at
the other end of a veth pair, with addresses of its own as real clients have: what the server does for a client of its own
host only (rexecd.toml(5), stderr_own_host) is in no figure. The super-server is the benchmark's own (accept, fork, exec
with the socket as descriptors 0-2), but for systemd. Logging goes to a socket that throws it away.

`

func targetTable(b *strings.Builder, f *measure.Figures) {
	b.WriteString("## Targets\n\n| figure | target | measured | |\n|---|---|---|---|\n")
	list := targets
	if f.Has(measure.KeyOf("nul", rig.StandbyName, "permit", measure.Plain)) {
		list = append(append([]target{}, targets...), standbyTargets...)
	}
	for _, t := range list {
		sign, verdict := "<=", "**missed**"
		if t.least {
			sign = ">="
		}
		if t.met(f) {
			verdict = "met"
		}
		fmt.Fprintf(b, "| %s | %s %g | %s | %s |\n", t.text, sign, t.limit, number(t.value(f)), verdict)
	}
	b.WriteString("\n")
}

func stderrText(v string) string {
	if v == measure.WithStderr {
		return "with a stderr port"
	}
	return "no stderr port"
}

func connectionTable(b *strings.Builder, f *measure.Figures, stack, stderr string) {
	columns := []column{{"nul", "NUL ms"}, {"eof", "EOF ms"}, {"cpu", "CPU ms"}, {"faults", "page faults"}}
	for _, n := range measure.Concurrencies {
		columns = append(columns, column{fmt.Sprintf("rate%d", n), fmt.Sprintf("/s at %d", n)})
	}
	columns = append(columns, column{"dirty", "waiting parent, private dirty KB"}, column{"clean", "private clean KB"}, column{"wall", "beside ssh: EOF ms"})
	section(b, f, fmt.Sprintf("One connection: pam_%s, %s", stack, stderrText(stderr)), stack, stderr, columns, "netkit")
}

type column struct{ figure, title string }

// section is one table: a row for each server that has any of the figures; in brackets the ratio to the base's.
func section(b *strings.Builder, f *measure.Figures, title, stack, stderr string, columns []column, base string) {
	var shown []column
	for _, c := range columns {
		for _, row := range rows {
			if f.Has(measure.KeyOf(c.figure, row.name, stack, stderr)) {
				shown = append(shown, c)
				break
			}
		}
	}
	if len(shown) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n| server |", title)
	for _, c := range shown {
		fmt.Fprintf(b, " %s |", c.title)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---:|", len(shown)))
	for _, row := range rows {
		line, any := "| "+row.label+" |", false
		for _, c := range shown {
			k := measure.KeyOf(c.figure, row.name, stack, stderr)
			any = any || f.Has(k)
			line += " " + cell(f, k, base) + " |"
		}
		if any {
			fmt.Fprintln(b, line)
		}
	}
	b.WriteString("\n")
}

// rows is the order of every table. The standby's count of handlers is an option; its row says so in general.
var rows = []struct{ name, label string }{
	{"floor", "floor: protocol and exec, no PAM"}, {"netkit", "Debian netkit in.rexecd"}, {"reference", "C reference, same work"},
	{"ours", "**in.rexecd**"}, {rig.TenRulesName, "in.rexecd, ten rules"}, {rig.StandbyName, "**rexecd -standby**"}, {"ssh", "OpenSSH, password (`sshpass ssh host true`)"},
}

// AddRow gives a further build of in.rexecd a row in every table.
func AddRow(path string) {
	rows = append(rows, struct{ name, label string }{path, path})
}

func cell(f *measure.Figures, k measure.Key, base string) string {
	if !f.Has(k) {
		return ""
	}
	text := number(f.Median(k))
	if k.Server == base || base == "" {
		return text
	}
	if r := f.Ratio(k, measure.KeyOf(k.Figure, base, k.Stack, k.Stderr)); r != 0 && f.Median(k) != 0 {
		text += fmt.Sprintf(" (%.2f)", r)
	}
	return text
}

// number has three digits, as many as the measurements carry.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// loadAtStart is what the machine did before the benchmark began: figures from a busy one deserve less trust.
var loadAtStart = func() string {
	text, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(text), " ")
	return load
}()

// machine says where the figures come from.
func machine() string {
	cpu := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			cpu = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := exec.Command("uname", "-r").Output()
	system, _ := exec.Command("sh", "-c", ". /etc/os-release; echo $PRETTY_NAME").Output()
	return fmt.Sprintf("Machine: %s, %d cores, Linux %s, %s, %s, %s; load average of other work at the start %s.\n", cpu, runtime.NumCPU(), strings.TrimSpace(string(kernel)),
		strings.TrimSpace(string(system)), runtime.Version(), time.Now().UTC().Format(time.DateOnly), loadAtStart)
}
