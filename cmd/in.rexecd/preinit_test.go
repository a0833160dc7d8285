package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Packages read files while they are initialised, the time zone among them: package preinit must
// have given back the right to open any by then.
func TestPackagesCanOpenFilesWhileTheyAreInitialised(t *testing.T) {
	if os.Getenv("PREINIT_TEST") != "" {
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
	cmd.Env = append(os.Environ(), "PREINIT_TEST=1", "TZ="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func affinity(t *testing.T, pid int) (cpus unix.CPUSet) {
	t.Helper()
	if err := unix.SchedGetaffinity(pid, &cpus); err != nil {
		t.Fatal(err)
	}
	return cpus
}

func TestProcessorsAreThoseOfTheSuperServer(t *testing.T) {
	if os.Getenv("PREINIT_TEST") != "" {
		fmt.Printf("processors %x\n", affinity(t, os.Getpid())) // of the first thread, whose mask the command inherits
		return
	}
	// The child inherits the mask of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mine := affinity(t, 0)
	defer unix.SchedSetaffinity(0, &mine)
	var all unix.CPUSet
	for i := range all {
		all[i] = ^all[i]
	}
	if err := unix.SchedSetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	all = affinity(t, 0)
	sets := []unix.CPUSet{all}
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			one, others := unix.CPUSet{}, all
			one.Set(cpu)
			others.Clear(cpu)
			if sets = append(sets, one); others.Count() > 1 {
				sets = append(sets, others)
			}
		}
	}
	for _, set := range sets[:min(len(sets), 9)] {
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "PREINIT_TEST=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), fmt.Sprintf("processors %x\n", set)) {
			t.Errorf("%v: started on %x, the child has\n%s", err, set, out)
		}
	}
}

// A kernel with four processors, played in front of the C library (testdata/cpus.c): a machine
// for tests cannot be given another processor.
func TestProcessorsThatComeLaterAreUsedToo(t *testing.T) {
	if os.Getenv("PREINIT_TEST") != "" {
		return
	}
	shim := filepath.Join(t.TempDir(), "cpus.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-o", shim, "testdata/cpus.c").CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	for _, tt := range []struct{ name, own, want string }{
		{"no mask of its own", "ffffffffffffffff", "ffffffffffffffff"},
		{"a mask that excludes nothing", "f", "ffffffffffffffff"},
		{"a mask of two", "6", "6"},
		{"a mask of three", "b", "b"},
		{"a mask of one, left alone", "4", "4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcessorsThatComeLaterAreUsedToo$")
			cmd.Env = append(os.Environ(), "PREINIT_TEST=1", "LD_PRELOAD="+shim, "CPUS_OWN="+tt.own)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			asked := regexp.MustCompile(`own mask ([0-9a-f]+)`).FindAllStringSubmatch(string(out), -1)
			if len(asked) == 0 || asked[len(asked)-1][1] != tt.want {
				t.Errorf("the masks are %q; want the last to be %s", asked, tt.want)
			}
		})
	}
}

// go.mod's version turns it off; a //go:debug line would not compile with Go 1.24, which has no
// such setting.
func TestTheRuntimeDoesNotWatchForProcessors(t *testing.T) {
	if strings.HasPrefix(runtime.Version(), "go1.24") {
		return
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build information")
	}
	for _, s := range info.Settings {
		if s.Key == "DefaultGODEBUG" && strings.Contains(","+s.Value+",", ",updatemaxprocs=0,") {
			return
		}
	}
	t.Errorf("no updatemaxprocs=0 in %v: the runtime starts a goroutine that wakes once a second", info.Settings)
}
