package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestTheSupervisorSurvivesItsHandlersAndBacksOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(openDir(t), "in.rexecd")
	lab.Run(t, "cp", lab.Server(t), path)
	rexecd := filepath.Join(filepath.Dir(path), "rexecd")
	lab.Run(t, "cp", lab.Rexecd(t), rexecd)
	s := stand(t, lab.Room{}, rexecd, nil, "-standby", "2")
	u := newUser(t, lab.User{})
	lab.Run(t, "kill", "-KILL", s.wantWaiting(t, 2)[0])
	lab.Eventually(t, "the death is told", func() bool { return strings.Count(s.out.String(), "died: signal 9 (SIGKILL)") == 1 })
	wantOut(t, s.addr, request(u, "echo served"), "served\n")

	// A handler that cannot even start, as after a broken upgrade.
	good := path + ".good"
	if err := os.Rename(path, good); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 9\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.wantWaiting(t, 2)
	s.cmd.Process.Signal(syscall.SIGHUP)
	lab.Eventually(t, "some handlers died at once", func() bool { return strings.Count(s.out.String(), "died: exit status 9") >= 3 })
	if n := strings.Count(s.out.String(), "died: exit status 9"); n > 20 {
		t.Errorf("%d handlers were started within moments: no back-off", n)
	}
	if err := os.Rename(good, path); err != nil {
		t.Fatal(err)
	}
	s.wantWaiting(t, 2)
	wantOut(t, s.addr, request(u, "echo mended"), "mended\n")
}

func TestABurstIsServedByStandbyHandlers(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "4")
	u := newUser(t, lab.User{})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			wantOut(t, s.addr, request(u, "echo "+itoa(i)), itoa(i)+"\n")
		}()
	}
	wg.Wait()
	s.wantWaiting(t, 4)
}

func TestStandbyTakesTheListeningSocketOfSuperServers(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	t.Run("systemd, two sockets", func(t *testing.T) {
		one, two := freeAddr(t), freeAddr(t)
		cmd := exec.Command("systemd-socket-activate", "-l", one, "-l", two, lab.Rexecd(t), "-standby", "2")
		lab.Room{}.Command(t, cmd)
		listening(t, one)
		for _, addr := range []string{one, two, one} {
			wantOut(t, addr, request(u, "echo hello"), "hello\n")
		}
	})
	t.Run("inetd wait", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd := exec.Command(lab.Rexecd(t), "-standby", "2")
		cmd.Stdin = f
		lab.Room{}.Command(t, cmd)
		wantOut(t, l.Addr().String(), request(u, "echo hello"), "hello\n")
	})
	t.Run("none", func(t *testing.T) {
		_, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-standby", "2"))
		if status != 1 || !strings.Contains(stderr, "needs a listening socket") {
			t.Errorf("status %d, %q", status, stderr)
		}
	})
}

func TestStandbyTellsSystemdThatItIsReadyAndAlive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(openDir(t), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := stand(t, lab.Room{}, lab.Rexecd(t), []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=300000"}, "-standby", "2")
	told := map[string]int{}
	l.SetReadDeadline(time.Now().Add(30 * time.Second))
	for told["WATCHDOG=1"] < 3 {
		b := make([]byte, 200)
		n, err := l.Read(b)
		if err != nil {
			t.Fatalf("%v after %v", err, told)
		}
		told[string(b[:n])]++
	}
	if told["READY=1"] != 1 {
		t.Errorf("told %v", told)
	}
	s.wantWaiting(t, 2)
}

func TestWithoutTheServerRexecdSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	path := filepath.Join(dir, "rexecd")
	lab.Run(t, "cp", lab.Rexecd(t), path)
	for _, mode := range []string{"-standby=2", "-debug"} {
		_, stderr, status := run(t, exec.Command(path, mode, "-listen", freeAddr(t)))
		if want := "rexecd: start " + dir + "/in.rexecd: no such file or directory\n"; status != 1 || stderr != want {
			t.Errorf("%s: status %d, %q; want 1, %q", mode, status, stderr, want)
		}
	}
	found, _, _ := run(t, exec.Command(path, "-check"))
	wantMatch(t, "-check", found, `.*\nFAIL server: `+regexp.QuoteMeta(dir)+`/in\.rexecd: no such file or directory; [ -~]*\n.*`)
}
