package session

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// sources are the C files that make the server's part written in C.
var sources = []string{"start.c", "stop.c", "ask.c", "capabilities.c", "../login/delay.c", "../../cmd/in.rexecd/preinit/preinit.c"}

func TestCompilerFindsNothingInTheCFiles(t *testing.T) {
	for _, file := range append(sources, "testdata/driver.c") {
		// The analyzer is gcc's: cc is that on the machines that this is built on.
		out, err := exec.Command("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wformat=2", "-Wconversion", "-Wshadow", "-Wstrict-prototypes",
			"-fanalyzer", "-D_FORTIFY_SOURCE=2", "-c", "-o", filepath.Join(t.TempDir(), "out.o"), file).CombinedOutput()
		if err != nil || len(out) != 0 {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

func TestSanitizersFindNothingInTheStage(t *testing.T) {
	program := filepath.Join(t.TempDir(), "driver")
	out, err := exec.Command("gcc", "-O1", "-g", "-Wall", "-Wextra", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
		"-o", program, "testdata/driver.c", "start.c", "watchdog.c", "-lrt").CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	if out, err := exec.Command(program).CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("driver: %v\n%s", err, out)
	}
}
