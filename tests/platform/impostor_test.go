package platform

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// impostor starts a program under a super-server's name.
func impostor(t *testing.T, name, program string, argv ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "impostor")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	link := filepath.Join(dir, name)
	lab.Run(t, "chmod", "755", dir)
	lab.Run(t, "ln", "-s", program, link)
	for i, arg := range argv {
		argv[i] = strings.ReplaceAll(arg, "LINK", link)
	}
	cmd := exec.Command(argv[0], argv[1:]...) // its children may outlive it: no output that somebody waits for
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); cmd.Wait() })
	lab.Eventually(t, "a process with the name "+name, func() bool {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
		return string(comm) == name+"\n"
	})
	return cmd
}

func TestAnybodysProcessNameIsNoSuperServer(t *testing.T) {
	prepareHost(t)
	for _, c := range []struct {
		name, program string
		argv          []string
	}{
		{"a user's sleep", "/bin/sleep", []string{"setpriv", "--reuid", "alice", "--regid", "alice", "--clear-groups", "LINK", "300"}},
		{"a user's su, with root's effective uid", "/bin/su", []string{"setpriv", "--reuid", "alice", "--regid", "alice", "--clear-groups", "bash", "-c", "exec LINK root -c true < <(exec sleep 300)"}},
		{"a set-user-ID program that has become root", "/bin/su", []string{"LINK", "root", "-c", "sleep 300"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			xinetd := impostor(t, "xinetd", c.program, append([]string(nil), c.argv...)...)
			inetd := impostor(t, "inetd", c.program, append([]string(nil), c.argv...)...)
			write(t, "/etc/inetd.conf", "")
			t.Cleanup(func() { os.Remove("/etc/inetd.conf"); os.RemoveAll("/etc/xinetd.d") })
			expect(t, 0, "inetd is not running: start it", "-install")
			if _, err := os.Stat("/etc/xinetd.d/rexec"); err == nil {
				t.Error("-install believed in xinetd")
			}
			checkSays(t, "FAIL inetd: line 1 of /etc/inetd.conf is in place, but inetd is not running")
			expect(t, 0, "inetd is not running: there is nobody to tell", "-remove")
			for _, cmd := range []*exec.Cmd{xinetd, inetd} {
				var ws syscall.WaitStatus
				if pid, err := syscall.Wait4(cmd.Process.Pid, &ws, syscall.WNOHANG, nil); pid != 0 {
					t.Errorf("%v was told to reread its entries: %v, %v", cmd.Args, ws, err)
				}
			}
		})
	}
}
