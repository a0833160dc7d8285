package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRewriteLosesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "inetd.conf")
	if err := os.WriteFile(file, []byte("a\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	label := "security.rexec-test" // as SELinux' is; for root
	if os.Geteuid() != 0 {
		label = "user.rexec-test"
	}
	if err := unix.Setxattr(file, label, []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	add := func(s string) (string, error) { return s + "ours\n", nil }
	if changed, err := rewrite(file, add); !changed || err != nil {
		t.Fatalf("rewrite = %v, %v", changed, err)
	}
	value := make([]byte, 10)
	if n, err := unix.Getxattr(file, label, value); err != nil || string(value[:n]) != "v" {
		t.Errorf("the attribute is %q, %v", value[:max(n, 0)], err)
	}
	_, err := rewrite(file, func(s string) (string, error) {
		return s + "ours\n", os.WriteFile(file, []byte("the administrator's\n"), 0o640)
	})
	if text, _ := os.ReadFile(file); err == nil || string(text) != "the administrator's\n" {
		t.Errorf("edited meanwhile: %q, %v; want the edit kept, and an error", text, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := rewrite(link, add); err == nil {
		t.Error("a link to nowhere was replaced")
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("%d files left, want 2", len(names))
	}
	absent := filepath.Join(dir, "xinetd.d", "rexec")
	if changed, err := rewrite(absent, func(s string) (string, error) { return s, nil }); changed || err != nil {
		t.Errorf("no change in a directory that is not there = %v, %v", changed, err)
	}
	if _, err := rewrite(absent, add); err == nil || !strings.Contains(err.Error(), "xinetd.d") {
		t.Errorf("a file in a directory that is not there: %v", err)
	}
}

func TestRewriteKeepsModeAndSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	changed, err := rewrite(link, func(s string) (string, error) { return s + "+new", nil })
	if err != nil || !changed {
		t.Fatalf("rewrite = %v, %v", changed, err)
	}
	text, _ := os.ReadFile(file)
	st, err := os.Lstat(file)
	if err != nil || string(text) != "old+new" || st.Mode() != 0o640 {
		t.Errorf("the file is %q, %v, %v", text, st.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != file {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("%d files left, want 2", len(names))
	}
	if changed, err := rewrite(link, func(s string) (string, error) { return s, nil }); changed || err != nil {
		t.Errorf("rewrite without a change = %v, %v", changed, err)
	}
}

// Two administrators, or a package's script and one.
func TestRewritesAtTheSameTimeAllCount(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inetd.conf")
	var all sync.WaitGroup
	for i := range 12 {
		all.Add(1)
		go func() {
			defer all.Done()
			if changed, err := rewrite(file, func(s string) (string, error) { return s + fmt.Sprintf("line %d\n", i), nil }); err != nil || !changed {
				t.Errorf("rewrite = %v, %v", changed, err)
			}
		}()
	}
	all.Wait()
	if text, err := os.ReadFile(file); err != nil || strings.Count(string(text), "\n") != 12 {
		t.Errorf("%q, %v; want 12 lines", text, err)
	}
}

// Any user can lock /etc.
func TestALockThatIsHeldForEverDelaysARewriteOnly(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if changed, err := rewrite(dir.Name()+"/inetd.conf", func(string) (string, error) { return "x\n", nil }); err != nil || !changed {
		t.Errorf("rewrite = %v, %v", changed, err)
	}
}

// A file system that is full, or read-only.
func TestARewriteThatFailsLeavesTheFileAsItWas(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	old := strings.Repeat("ftp stream tcp nowait root /ftpd ftpd\n", 100)
	for _, c := range []struct {
		name  string
		flags uintptr
		want  error
	}{{"full", 0, syscall.ENOSPC}, {"read-only", syscall.MS_REMOUNT | syscall.MS_RDONLY, syscall.EROFS}, {"the file is a mount", 0, syscall.EBUSY}} {
		t.Run(c.name, func(t *testing.T) {
			dir := inOwnMounts(t)
			file := filepath.Join(dir, "inetd.conf")
			if err := os.WriteFile(file, []byte(old), 0o644); err != nil {
				t.Fatal(err)
			}
			switch c.want {
			case syscall.ENOSPC:
				f, err := os.Create(filepath.Join(dir, "fill"))
				if err != nil {
					t.Fatal(err)
				}
				for err == nil {
					_, err = f.Write(make([]byte, 4096))
				}
				f.Close()
			case syscall.EROFS:
				if err := syscall.Mount("none", dir, "tmpfs", c.flags, ""); err != nil {
					t.Fatal(err)
				}
			case syscall.EBUSY:
				if err := syscall.Mount(file, file, "", syscall.MS_BIND, ""); err != nil {
					t.Fatal(err)
				}
			}
			changed, err := rewrite(file, func(s string) (string, error) { return s + strings.Repeat("exec\n", 10000), nil })
			if changed || !errors.Is(err, c.want) || !strings.Contains(err.Error(), file+" is as it was") {
				t.Errorf("rewrite = %v, %v; want %v", changed, err, c.want)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != old {
				t.Errorf("the file is %q, %v", text, err)
			}
			if names, _ := filepath.Glob(dir + "/.*"); len(names) != 0 {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}

// inOwnMounts gives the test's thread a mount namespace, and a file system of
// 64 kB that is only there. The thread ends with the test.
func inOwnMounts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}
