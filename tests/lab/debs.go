package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var debs struct {
	sync.Mutex
	unpacked map[string]string
}

// Deb unpacks a Debian package that fetch-debs has put in build/debs (or in $REXEC_DEBS) and
// returns the directory, which holds usr, etc and so on. Nothing is installed and no maintainer
// script runs.
func Deb(t testing.TB, name string) string {
	t.Helper()
	debs.Lock()
	defer debs.Unlock()
	if dir := debs.unpacked[name]; dir != "" {
		return dir
	}
	files, _ := filepath.Glob(filepath.Join(debDir(), name+"_*.deb"))
	if len(files) != 1 {
		t.Fatalf("%d files %s_*.deb in %s, want 1: run tests/lab/fetch-debs build/debs %[2]s", len(files), name, debDir())
	}
	dir := "/var/lib/lab/" + name
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("dpkg", "-x", files[0], dir).CombinedOutput(); err != nil {
		t.Fatalf("dpkg -x %s: %v\n%s", files[0], err, out)
	}
	if debs.unpacked == nil {
		debs.unpacked = map[string]string{}
	}
	debs.unpacked[name] = dir
	return dir
}

func debDir() string {
	if dir := os.Getenv(envDebs); dir != "" {
		return dir
	}
	return filepath.Join(moduleRoot(), "build", "debs")
}

// Netkit returns the path of Debian's in.rexecd, of the package rsh-server.
func Netkit(t testing.TB) string { t.Helper(); return Deb(t, "rsh-server") + "/usr/sbin/in.rexecd" }

// Inetutils returns the path of GNU's rexec or rexecd, which build-inetutils has built.
func Inetutils(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(moduleRoot(), "build", "inetutils", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run tests/lab/build-inetutils build/inetutils", err)
	}
	return path
}
