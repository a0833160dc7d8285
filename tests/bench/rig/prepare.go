package rig

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Prepare puts everything the stages run into WorkDir: the private hosts have no network and no /tmp of the machine.
func Prepare(opt Options) error {
	if err := os.MkdirAll(WorkDir, 0o755); err != nil {
		return err
	}
	if err := copySelf(filepath.Join(WorkDir, "bench")); err != nil {
		return fmt.Errorf("copy benchmark: %w", err)
	}
	src := "tests/bench/c/"
	steps := [][]string{
		{"cc", "-O2", "-Wall", "-o", WorkDir + "/floor", src + "floor.c"},
		{"cc", "-O2", "-Wall", "-o", WorkDir + "/reference", src + "reference.c", "-lpam"},
		{"cc", "-O2", "-Wall", "-fPIC", "-shared", "-o", WorkDir + "/pam_count.so", src + "pam_count.c", "-lpam"},
		{"tests/lab/fetch-debs", WorkDir + "/debs", "rsh-server", "openssh-server", "openssh-client", "sshpass", "libwrap0"},
	}
	if opt.Server == "" {
		opt.Server = "build/in.rexecd"
		steps = append(steps, []string{"make", "-s", opt.Server, filepath.Join(filepath.Dir(opt.Server), "rexecd")}) // what ships, with its own flags
	}
	steps = append(steps, []string{"cp", opt.Server, WorkDir + "/in.rexecd"}, []string{"cp", filepath.Join(filepath.Dir(opt.Server), "rexecd"), WorkDir + "/rexecd"})
	// What a file system has yet to write counts as dirty memory of every process that maps it.
	steps = append(steps, []string{"sync", "-f", WorkDir})
	for _, s := range steps {
		cmd := exec.Command(s[0], s[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("run %v: %w", s, err)
		}
	}
	return Unpack("rsh-server", filepath.Join(WorkDir, "netkit"))
}

// Unpack extracts a fetched package; what it asks its maintainer scripts to do is not done.
func Unpack(name, dir string) error {
	debs, err := filepath.Glob(filepath.Join(WorkDir, "debs", name+"_*.deb"))
	if err != nil || len(debs) == 0 {
		return fmt.Errorf("no package %s in %s/debs", name, WorkDir)
	}
	// Not dpkg -x: over / it would put a directory in the place of the link /lib.
	script := `mkdir -p "$1" && dpkg-deb --fsys-tarfile "$0" | tar -x --keep-directory-symlink -C "$1"`
	if out, err := exec.Command("sh", "-c", script, debs[0], dir).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack %s: %w: %s", name, err, out)
	}
	return nil
}

// copySelf copies the running program: `go run` keeps it in a directory that the private hosts do not see.
func copySelf(to string) error {
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer from.Close()
	_ = os.Remove(to) // a running copy of an earlier benchmark must not be written over
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, from); err != nil {
		return err
	}
	return out.Close()
}

// Stacks are the two PAM stacks. pam_permit shows what the server costs; pam_unix, with the yescrypt hash that chpasswd makes
// today, shows what a user waits for.
var Stacks = []Stack{
	{"permit", "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"},
	{"unix", "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n"},
}

// A Stack is the text of a PAM file.
type Stack struct{ Name, PAM string }

// Install makes the stack the one that every server measured here uses. PAM reads its files again for each connection.
func (s Stack) Install() error {
	for _, service := range []string{"rexec", "sshd"} {
		if err := os.WriteFile("/etc/pam.d/"+service, []byte("#%PAM-1.0\n"+s.PAM), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// The account that every connection logs in to.
const (
	UserName = "alice"
	Password = "open sesame" // netkit takes 15 bytes
)

// AddUser makes the account that every connection logs in to.
func AddUser() error {
	script := "useradd -m -s /bin/sh " + UserName + " && echo '" + UserName + ":" + Password + "' | chpasswd -c YESCRYPT"
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("add user: %w: %s", err, out)
	}
	return nil
}
