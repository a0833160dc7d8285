package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Packages read files while they are initialised, the time zone among them: package before must have given back the
// right to open any by then.
func TestPackagesCanOpenFilesWhileTheyAreInitialised(t *testing.T) {
	if os.Getenv("BEFORE_TEST") != "" {
		name, offset := time.Now().Zone()
		if name != "XYZ" || offset != 3*3600 {
			t.Fatalf("time zone %s, %d s; want XYZ, three hours", name, offset)
		}
		return
	}
	// tzfile(5), version 1: one type, three hours east, named XYZ.
	zone := "TZif" + string(make([]byte, 16+4*4)) + "\x00\x00\x00\x01" + "\x00\x00\x00\x04" + "\x00\x00\x2a\x30\x00\x00" + "XYZ\x00"
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(zone), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "BEFORE_TEST=1", "TZ="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
