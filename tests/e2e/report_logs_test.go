package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"rexecd/tests/lab"
)

func TestTheReportReadsRotatedAndCompressedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	line := time.Now().Format(time.Stamp) + " host in.rexecd[1]: Accepted password for alice from 192.0.2.7 port 1\n"
	for name, filter := range map[string]string{"auth.log": "cat", "auth.log.1": "cat", "auth.log.2.gz": "gzip", "auth.log.3.bz2": "bzip2",
		"auth.log.4.xz": "xz", "auth.log.5.zst": "zstd -q", "auth.log.6": "gzip"} {
		lab.Run(t, "sh", "-c", fmt.Sprintf("printf '%%s' \"$1\" | %s >%s/%s", filter, dir, name), "sh", line)
	}
	if err := os.Symlink("auth.log", dir+"/auth.log-today"); err != nil {
		t.Fatal(err)
	}
	out, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-report", "-file", dir+"/auth.log*", "-file", dir+"/auth.log"))
	if status != 0 || stderr != "" || !strings.Contains(out, "\n7 sessions, 1 source, 1 user,") {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
	cmd := exec.Command(lab.Rexecd(t), "-report", "-file", dir+"/auth.log.4.xz")
	cmd.Env = []string{"PATH=/nowhere"}
	if _, stderr, status := run(t, cmd); status != 1 || !strings.Contains(stderr, `start xz: exec: "xz": executable file not found`) {
		t.Errorf("without xz: status %d, %s", status, stderr)
	}
	for name, want := range map[string]string{"auth.log.2.gz": "unexpected EOF", "auth.log.4.xz": "xz: exit status 1: xz: (stdin): Unexpected end of input"} {
		whole := read(filepath.Join(dir, name))
		cut := filepath.Join(dir, "cut-"+name)
		if err := os.WriteFile(cut, []byte(whole[:len(whole)-9]), 0o600); err != nil {
			t.Fatal(err)
		}
		out, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-report", "-file", cut))
		if status != 1 || !strings.Contains(stderr, want) || !strings.Contains(out, "Incomplete") {
			t.Errorf("%s cut off: status %d, %s, %s", name, status, stderr, out)
		}
	}
	if _, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-report", "-file", dir+"/none*")); status != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("a pattern of no file: status %d, %s", status, stderr)
	}
}

// journalctl returns a command whose journalctl is a script. $args has its arguments.
func journalctl(t testing.TB, body string, args ...string) *exec.Cmd {
	t.Helper()
	dir := openDir(t)
	if err := os.WriteFile(dir+"/journalctl", []byte("#!/bin/sh\nargs=$*\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(lab.Rexecd(t), append([]string{"-report"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	return cmd
}

// entry is a session in the journal.
func entry(cursor int) string {
	return fmt.Sprintf(`{"__REALTIME_TIMESTAMP":"%d","__CURSOR":"s=1;i=%x","SYSLOG_IDENTIFIER":"in.rexecd","_UID":"0","_TRANSPORT":"journal",`+
		`"REXEC_OUTCOME":"accepted","REXEC_USER":"alice","REXEC_PEER":"192.0.2.7"}`, time.Now().UnixMicro(), cursor)
}

func TestWhatJournalctlComplainsOfIsReported(t *testing.T) {
	t.Parallel()
	out, stderr, status := run(t, journalctl(t, "echo '"+entry(1)+"'; echo 'Hint: see\033[31m less' >&2"))
	if status != 0 || !strings.Contains(out, "1 session,") || stderr != "rexecd: journalctl: Hint: see; [31m less\n" {
		t.Errorf("a hint: status %d, %q, %s", status, stderr, out)
	}
	out, stderr, status = run(t, journalctl(t, "echo '"+entry(1)+"'; echo 'No journal files' >&2; exit 1"))
	if status != 1 || !strings.Contains(out, "1 session,") || !strings.Contains(out, "Incomplete") ||
		!strings.Contains(stderr, "journalctl: exit status 1: No journal files") {
		t.Errorf("a failure: status %d, %q, %s", status, stderr, out)
	}
	cmd := journalctl(t, "", "-since", "7d")
	cmd.Env = []string{"PATH=/nowhere"}
	if _, stderr, status = run(t, cmd); status != 1 || !strings.Contains(stderr, "name syslog's file with -file") {
		t.Errorf("without journalctl: status %d, %q", status, stderr)
	}
}

func TestCtrlCPrintsWhatTheReportHas(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(openDir(t), "began")
	cmd := journalctl(t, "i=0; while [ $i -lt 3000 ]; do echo '"+entry(1)+"'; i=$((i+1)); done; touch "+mark+"; exec sleep 1000")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lab.Eventually(t, "the records", func() bool { _, err := os.Stat(mark); return err == nil })
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "sessions, 1 source") ||
		!strings.Contains(out.String(), "not read to its end: interrupted") || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("status %d: %s%s", cmd.ProcessState.ExitCode(), out.String(), stderr.String())
	}
}

// Counters must neither fall when the journal is rotated nor count a record twice.
func TestMetricsCountOn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(openDir(t), "rexec.prom")
	metrics := func(body string) (string, int) {
		_, stderr, status := run(t, journalctl(t, body, "-openmetrics", "-output", file))
		return stderr, status
	}
	sessions := `rexec_sessions_total{source="192.0.2.7",user="alice"} `
	if stderr, status := metrics("true"); status != 0 || !strings.Contains(read(file), "rexec_sessions_total 0\n") {
		t.Fatalf("an empty journal: status %d, %s, %s", status, stderr, read(file))
	}
	metrics("echo '" + entry(10) + "'; echo '" + entry(11) + "'")
	first := read(file)
	if !strings.Contains(first, sessions+"2\n") || !strings.Contains(first, "# cursor s=1;i=b\n") {
		t.Errorf("first:\n%s", first)
	}
	asked := `case $args in *"--cursor=s=1;i=b"*) ;; *) exit 9;; esac; `
	metrics(asked + "echo '" + entry(11) + "'; echo '" + entry(12) + "'")
	second := read(file)
	if !strings.Contains(second, sessions+"3\n") || !strings.Contains(second, "i=c\n") {
		t.Errorf("second:\n%s", second)
	}
	checkMetrics(t, second)
	if _, status := metrics("echo '" + entry(13) + "'; exit 1"); status != 1 || read(file) != second {
		t.Errorf("after a failure, status %d, the file is\n%s", status, read(file))
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", st, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(file, []byte(second[:len(second)/2]), 0o644); err != nil {
		t.Fatal(err)
	}
	if stderr, status := metrics("true"); status != 1 || !strings.Contains(stderr, "remove") || read(file) != second[:len(second)/2] {
		t.Errorf("a damaged file: status %d, %s", status, stderr)
	}
}

func TestTheTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	name := filepath.Join(openDir(t), "log")
	if err := os.WriteFile(name, []byte(aWeek()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, columns := range []int{60, 80, 120, 200} {
		out := lab.Run(t, "script", "-qec", fmt.Sprintf("stty cols %d; %s -report -since 2026-11-01 -until 2026-11-30 -file %s", columns, lab.Rexecd(t), name), "/dev/null")
		widest := 0
		for line := range strings.Lines(out[strings.Index(out, "WHO"):strings.LastIndex(out, "\r\n\r\n")]) {
			widest = max(widest, utf8.RuneCountInString(strings.TrimRight(line, "\r\n")))
		}
		if widest > columns || columns == 80 && widest < 60 {
			t.Errorf("%d columns: a line of %d\n%s", columns, widest, out)
		}
		if strings.Contains(out, "COMMANDS") != (columns >= 120) {
			t.Errorf("%d columns: %s", columns, out)
		}
	}
}

func TestTheReportsOptionsExcludeEachOther(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-report -json -html x":                  "exclude each other",
		"-report -check":                         "-check does not go with -report",
		"-json":                                  "-json: only with -check or -report",
		"-since 7d":                              "-since: only with -report",
		"-report -since soon":                    `-since "soon": it takes a date`,
		"-report -from host":                     `-from "host": it takes an address`,
		"-report -sort name":                     `-sort "name": it takes one of sessions, failed`,
		"-report -openmetrics -output x -user a": "counts on from where it stopped",
		"-report -output x":                      "-output goes with -json or -openmetrics",
		"-report -since 2026-11-02 -until 2026-11-01": "nothing lies between",
		"-report -rows -1":                            "-rows takes a number",
	} {
		_, stderr, status := run(t, exec.Command(lab.Rexecd(t), strings.Fields(args)...))
		if status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %.200q; want %s", args, status, stderr, want)
		}
	}
}

func TestAlertsAndDashboardUseMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	dir := lab.Root(t) + "/packaging/monitoring"
	for _, args := range [][]string{{"check", "rules", dir + "/alerts.yml"}, {"test", "rules", dir + "/alerts_test.yml"}} {
		if out, err := exec.Command(promtool(t), args...).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("SUCCESS")) {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
	metrics, _, _ := report(t, aWeek(), "-openmetrics")
	for _, file := range []string{"grafana.json", "alerts.yml"} {
		for _, name := range metricNames(read(dir + "/" + file)) {
			if !strings.Contains(metrics, "# TYPE "+name+" ") {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
}

// A terminal shows how far a long reading is, and nothing of that is left behind.
func TestALongReadingShowsItsProgress(t *testing.T) {
	t.Parallel()
	typescript := filepath.Join(openDir(t), "typescript")
	done := typescript + ".done"
	old := strings.Replace(entry(1), `_TIMESTAMP":"1`, `_TIMESTAMP":"1600000000000000","x":"1`, 1)
	cmd := journalctl(t, "for entry in '"+old+"' '"+entry(2)+"'; do i=0; while [ $i -lt 4500 ]; do echo \"$entry\"; i=$((i+1)); done; done; "+
		"until [ -e "+done+" ]; do sleep .05; done")
	cmd.Args = []string{"script", "-qfec", "stty cols 80; " + strings.Join(cmd.Args, " "), typescript}
	script, err := exec.LookPath("script")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = script
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lab.Eventually(t, "the bar", func() bool { return strings.Contains(read(typescript), "#] 100%\x1b[K") })
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, read(typescript))
	}
	if _, after, _ := strings.Cut(read(typescript), "\r\x1b[Krexec on "); !strings.Contains(after, "9,000 sessions") || strings.Contains(after, "#]") {
		t.Errorf("the bar was not taken away: %q", read(typescript))
	}
}

// A year of records, in a hundredth of the memory that they have. The time is README's.
func TestAMillionRecordsNeedLittleMemory(t *testing.T) {
	t.Parallel()
	const lines = 1_000_000
	cmd := exec.Command(lab.Rexecd(t), "-report", "-rows", "3", "-file", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(in)
	now := time.Now()
	for i := range lines {
		stamp := now.Add(time.Duration(i-lines) * 30 * time.Second).Format("2006-01-02T15:04:05Z07:00")
		if i%2 == 0 {
			fmt.Fprintf(w, "%s host in.rexecd[1]: Accepted password for user%d from 192.0.2.%d port 1: command \"job %d\"\n", stamp, i%17, i%29, i%5000)
		} else {
			fmt.Fprintf(w, "%s host in.rexecd[1]: Failed password for invalid user u%d from 2001:db8::%x:%x port 1: no\n", stamp, i, i>>16, i&0xffff)
		}
	}
	w.Flush()
	// wait4(2) counts what the process had of this one's memory before it executed its program.
	peak := peakOf(t, cmd.Process.Pid)
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KB, %v of CPU", peak, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if !strings.Contains(out.String(), "500,000 sessions") || !strings.Contains(out.String(), "500,000 failed") {
		t.Errorf("%.400s", out.String())
	}
	if peak > 100<<10 {
		t.Errorf("it took %d KB", peak)
	}
}

// peakOf is the most memory that a process has had, in KB.
func peakOf(t *testing.T, pid int) (kb int) {
	t.Helper()
	_, text, _ := strings.Cut(read(fmt.Sprintf("/proc/%d/status", pid)), "VmHWM:")
	if _, err := fmt.Sscan(text, &kb); err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
	return kb
}
