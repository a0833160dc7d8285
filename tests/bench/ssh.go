package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// sshLatency times `sshpass ssh host true`, password login with the same PAM stack, beside one rexec connection: it is
// what a user would take instead.
func sshLatency(f *figures, list []server, st stack, opt options) error {
	daemon, port, err := startSSH()
	if err != nil {
		return err
	}
	defer func() { _ = daemon.Process.Kill(); _ = daemon.Wait() }()
	all, stop, err := startAll(list)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := sshTrue(port); err != nil { // the first one learns the host key
		return err
	}
	rounds := pick(opt, 30, 3)
	before, err := treeCPU(daemon.Process.Pid)
	if err != nil {
		return err
	}
	for range rounds {
		took, err := sshTrue(port)
		if err != nil {
			return err
		}
		f.add(key{"wall", "ssh", st.name, plain}, ms(took))
		for _, r := range all {
			_, eof, err := once(r.port, false)
			if err != nil {
				return err
			}
			if _, err := r.settle(); err != nil {
				return err
			}
			f.add(key{"wall", r.name, st.name, plain}, ms(eof))
		}
	}
	after, err := treeCPU(daemon.Process.Pid)
	if err != nil {
		return err
	}
	f.add(key{"cpu", "ssh", st.name, plain}, ms(after-before)/float64(rounds))
	return nil
}

// startSSH unpacks Debian's OpenSSH over the private host and starts it on a free port.
func startSSH() (*exec.Cmd, int, error) {
	if _, err := os.Stat("/run/sshd"); err != nil {
		if err := installSSH(); err != nil {
			return nil, 0, err
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	daemon := exec.Command("/usr/sbin/sshd", "-D", "-f", "/dev/null", "-h", "/etc/ssh/bench_key", "-p", strconv.Itoa(port),
		"-o", "ListenAddress=127.0.0.1", "-o", "UsePAM=yes", "-o", "PasswordAuthentication=yes", "-o", "UseDNS=no", "-o", "PidFile=none")
	daemon.Stderr = os.Stderr
	if err := daemon.Start(); err != nil {
		return nil, 0, fmt.Errorf("start sshd: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return daemon, port, nil
		}
	}
	_ = daemon.Process.Kill()
	return nil, 0, errors.New("sshd does not listen")
}

func installSSH() error {
	for _, name := range []string{"libwrap0", "openssh-client", "openssh-server", "sshpass"} {
		if err := unpack(name, "/"); err != nil {
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

func sshTrue(port int) (time.Duration, error) {
	home := filepath.Join("/run", "bench-ssh")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return 0, err
	}
	cmd := exec.Command("sshpass", "-p", password, "ssh", "-F", "/dev/null", "-p", strconv.Itoa(port), "-l", userName,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile="+home+"/known", "-o", "LogLevel=ERROR", "-o", "PubkeyAuthentication=no",
		"127.0.0.1", "true")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("ssh: %w: %s", err, out)
	}
	return time.Since(start), nil
}
