package measure

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"rexecd/tests/bench/rig"
)

// sshLatency times `sshpass ssh host true`, password login with the same PAM stack, beside one rexec connection: it is
// what a user would take instead.
func sshLatency(f *Figures, list []rig.Server, st rig.Stack, opt rig.Options) error {
	daemon, port, err := startSSH(list[0].Addr)
	if err != nil {
		return err
	}
	defer func() { _ = daemon.Process.Kill(); _ = daemon.Wait() }()
	all, stop, err := rig.StartAll(list)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := sshTrue(list[0].At(port)); err != nil { // the first one learns the host key
		return err
	}
	rounds := rig.Pick(opt, 30, 3)
	before, err := rig.TreeCPU(daemon.Process.Pid)
	if err != nil {
		return err
	}
	for range rounds {
		took, err := sshTrue(list[0].At(port))
		if err != nil {
			return err
		}
		f.add(Key{"wall", "ssh", st.Name, Plain}, rig.MS(took))
		for _, r := range all {
			_, eof, err := r.Once(false)
			if err != nil {
				return err
			}
			if _, err := r.Settle(); err != nil {
				return err
			}
			f.add(Key{"wall", r.Name, st.Name, Plain}, rig.MS(eof))
		}
	}
	after, err := rig.TreeCPU(daemon.Process.Pid)
	if err != nil {
		return err
	}
	f.add(Key{"cpu", "ssh", st.Name, Plain}, rig.MS(after-before)/float64(rounds))
	return nil
}

// startSSH unpacks Debian's OpenSSH over the private host and starts it on a free port.
func startSSH(addr netip.Addr) (*exec.Cmd, int, error) {
	if _, err := os.Stat("/run/sshd"); err != nil {
		if err := installSSH(); err != nil {
			return nil, 0, err
		}
	}
	l, err := net.Listen("tcp4", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		return nil, 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	daemon := exec.Command("/usr/sbin/sshd", "-D", "-f", "/dev/null", "-h", "/etc/ssh/bench_key", "-p", strconv.Itoa(port),
		"-o", "ListenAddress="+addr.String(), "-o", "UsePAM=yes", "-o", "PasswordAuthentication=yes", "-o", "UseDNS=no", "-o", "PidFile=none")
	daemon.Stderr = os.Stderr
	if err := daemon.Start(); err != nil {
		return nil, 0, fmt.Errorf("start sshd: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp4", netip.AddrPortFrom(addr, uint16(port)).String()); err == nil {
			c.Close()
			return daemon, port, nil
		}
	}
	_ = daemon.Process.Kill()
	return nil, 0, errors.New("sshd does not listen")
}

func installSSH() error {
	for _, name := range []string{"libwrap0", "openssh-client", "openssh-server", "sshpass"} {
		if err := rig.Unpack(name, "/"); err != nil {
			return err
		}
	}
	for _, c := range [][]string{
		{"ldconfig"},
		{"useradd", "--system", "--no-create-home", "--home-dir", "/run/sshd", "--shell", "/usr/sbin/nologin", "sshd"},
		{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/bench_key"},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("run %v: %w: %s", c, err, out)
		}
	}
	return os.MkdirAll("/run/sshd", 0o755)
}

func sshTrue(at rig.Target) (time.Duration, error) {
	home := filepath.Join("/run", "bench-ssh")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return 0, err
	}
	cmd := exec.Command("sshpass", "-p", rig.Password, "ssh", "-F", "/dev/null", "-p", strconv.Itoa(at.Port), "-l", rig.UserName,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile="+home+"/known", "-o", "LogLevel=ERROR", "-o", "PubkeyAuthentication=no",
		at.Addr.String(), "true")
	var took time.Duration
	err := at.OnClient(func() error {
		start := time.Now()
		out, err := cmd.CombinedOutput()
		took = time.Since(start)
		if err != nil {
			return fmt.Errorf("ssh: %w: %s", err, out)
		}
		return nil
	})
	return took, err
}
