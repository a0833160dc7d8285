package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// A clock that was ahead for a moment, as before NTP has set it: journalctl --until ends at that
// entry, and what follows it was missing.
func TestAClockThatWasWrongHidesNoRecords(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(d time.Duration) string {
		return "echo '" + strings.Replace(entry(1), `TIMESTAMP":"`, fmt.Sprintf(`TIMESTAMP":"%d","_":"`, now.Add(d).UnixMicro()), 1) + "'\n"
	}
	body := at(-2*time.Hour) + at(10000*time.Hour) + "case $args in *--until*) exit;; esac\n" + at(-90*time.Minute)
	out, stderr, status := run(t, journalctl(t, body, "-since", "3h", "-until", "1h"))
	if status != 0 || !strings.Contains(out, "2 sessions,") {
		t.Errorf("status %d, %s, %s", status, stderr, out)
	}
}

// journalctl of systemd 252 passes over the first entry of the journal if the one at --after-cursor
// is no longer there: on a quiet host, a session in each time that the journal keeps.
func TestMetricsCountTheFirstRecordOfARotatedJournal(t *testing.T) {
	t.Parallel()
	file := filepath.Join(openDir(t), "rexec.prom")
	body := func(n int) string {
		return "case $args in *--after-cursor*) ;; *) echo '" + entry(n) + "';; esac\necho '" + entry(n+1) + "'\n"
	}
	for n := range 2 {
		if _, stderr, status := run(t, journalctl(t, body(10*n+1), "-openmetrics", "-output", file)); status != 0 {
			t.Fatalf("status %d, %s", status, stderr)
		}
	}
	if text := read(file); !strings.Contains(text, `user="alice"} 4`+"\n") {
		t.Errorf("four sessions are\n%s", text)
	}
}

// Of two runs at once the later one may have read less: its figures would make counters fall.
func TestMetricsOfAnotherRunStay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(openDir(t), "rexec.prom")
	for _, before := range []int{0, 4} {
		first := "echo '" + entry(before+1) + "'; "
		other := journalctl(t, first+"echo '"+entry(before+2)+"'", "-openmetrics", "-output", file)
		path := other.Env[len(other.Env)-1]
		_, stderr, status := run(t, journalctl(t, first+path+" "+strings.Join(other.Args, " "), "-openmetrics", "-output", file))
		if want := fmt.Sprintf("user=\"alice\"} %d\n", before/2+2); status != 1 || !strings.Contains(stderr, "another run") || !strings.Contains(read(file), want) {
			t.Errorf("status %d, %s, without %s", status, stderr, want)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// Metrics of a file, or in a pipe, are those of that log: the next run must not take them for the
// journal's, nor wait for the pipe to say how far it was.
func TestOnlyTheJournalsMetricsAreCountedOnFrom(t *testing.T) {
	t.Parallel()
	file := filepath.Join(openDir(t), "rexec.prom")
	if _, stderr, status := report(t, entry(1), "-openmetrics", "-output", file); status != 0 || !strings.Contains(read(file), "rexec_sessions_total{") {
		t.Fatalf("status %d, %s", status, stderr)
	}
	if _, stderr, status := run(t, journalctl(t, "", "-openmetrics", "-output", file)); status != 1 || !strings.Contains(stderr, "remove") {
		t.Errorf("status %d, %s", status, stderr)
	}
	for _, output := range []string{"-", "/dev/stdout"} {
		out, stderr, status := run(t, journalctl(t, "echo '"+entry(1)+"'", "-openmetrics", "-output", output))
		if status != 0 || !strings.Contains(out, "rexec_sessions_total{") {
			t.Errorf("-output %s: status %d, %s, %s", output, status, stderr, out)
		}
	}
}

// A pipe that nobody closes ends with Ctrl-C.
func TestCtrlCEndsAPipeThatTheReportReads(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	log, pipe := filepath.Join(dir, "log"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(log, []byte(entry(1)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(lab.Rexecd(t), "-report", "-file", log, "-file", pipe)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer late.Stop()
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	lab.Eventually(t, "the report to read the pipe", func() bool { return reads(cmd.Process.Pid, pipe) })
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "1 session,") ||
		!strings.Contains(out.String(), "to its end: interrupted") {
		t.Errorf("%v: %s%s", cmd.ProcessState, out.String(), stderr.String())
	}
}

// reads reports whether a process has a file open.
func reads(pid int, name string) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, f := range files {
		if target, _ := os.Readlink(f); target == name {
			return true
		}
	}
	return false
}
