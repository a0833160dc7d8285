package inetd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listening is a process of its own that listens on an address, and ends with its input.
func listening(address string) int {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return 1
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
	if d, ok := l.(*net.TCPListener); ok {
		fd, _ := d.File()
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd.Fd()), Events: unix.POLLIN}}, 0); n != 0 {
			fmt.Println("connected")
		}
	}
	fmt.Println("end")
	return 0
}

// elsewhere starts such a process; end returns what it says at its end.
func elsewhere(t *testing.T, address string) (port int, end func() string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "INETD_TEST_LISTEN="+net.JoinHostPort(address, "0"), "GOCOVERDIR="+t.TempDir())
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if port, _ = strconv.Atoi(strings.TrimSpace(line)); port == 0 {
		t.Fatalf("%q, %v", line, err)
	}
	return port, func() string { in.Close(); rest, _ := io.ReadAll(r); return string(rest) }
}

// The peer of a relay on this host can be anybody. Here the relay is this process.
func TestDialBackToThisHostReachesThePeersProcessAlone(t *testing.T) {
	needRoot(t)
	for _, tt := range []struct{ name, network, server, client string }{
		{"IPv4", "tcp4", "127.0.0.1", "127.0.0.1"},
		{"other addresses", "tcp4", "127.0.0.2", "127.0.0.3"},
		{"IPv6", "tcp6", "::1", "::1"},
		{"IPv4 on an IPv6 socket", "tcp", "::", "127.0.0.4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := connection(t, tt.network, tt.server, tt.client)
			for _, everywhere := range []string{tt.client, map[bool]string{true: "::", false: "0.0.0.0"}[tt.network == "tcp6"]} {
				open, end := elsewhere(t, everywhere)
				closed := closedPort(t, tt.client)
				_, refused := c.DialBack(closed, patience)
				_, err := c.DialBack(open, patience)
				if !errors.Is(refused, unix.ECONNREFUSED) || err == nil || err.Error() != refused.Error() {
					t.Errorf("another process's port: %v; a closed one: %v", err, refused)
				}
				c.OwnHost = true
				d, err := c.DialBack(open, patience)
				if err != nil {
					t.Errorf("with OwnHost: %v", err)
				} else {
					d.Close()
				}
				c.OwnHost = false
				if got := end(); !strings.Contains(got, "connected\n") {
					t.Errorf("with OwnHost the listener was not connected to: %q", got)
				}
				own, err := net.Listen("tcp", net.JoinHostPort(everywhere, "0"))
				if err != nil {
					t.Fatal(err)
				}
				if d, err = c.DialBack(own.Addr().(*net.TCPAddr).Port, patience); err != nil {
					t.Errorf("the peer's own port: %v", err)
				} else {
					d.Close()
				}
				own.Close()
			}
		})
	}
}

func TestAForeignListenerOfThisHostIsNotConnectedTo(t *testing.T) {
	needRoot(t)
	c, _ := connection(t, "tcp4", "127.0.0.1", "127.0.0.1")
	open, end := elsewhere(t, "127.0.0.1")
	c.DialBack(open, patience)
	if got := end(); got != "end\n" {
		t.Errorf("the listener: %q", got)
	}
}

const someUID = 54321

// To look into another's process takes cap_sys_ptrace, or to be its user.
func TestAProcessIsLookedIntoWithItsUsersIDs(t *testing.T) {
	needRoot(t)
	cmd := exec.Command("/usr/bin/python3", "-c", "import socket, sys; import os; s = socket.socket(); print(os.fstat(s.fileno()).st_ino, flush=True); sys.stdin.read()")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: someUID, Gid: someUID}}
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	inode, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	look := exec.Command("setpriv", "--bounding-set", "-sys_ptrace", os.Args[0])
	look.Env = append(os.Environ(), fmt.Sprintf("INETD_TEST_PROCESS=/proc/%d", cmd.Process.Pid), "INETD_TEST_INODE="+strings.TrimSpace(inode), "GOCOVERDIR="+t.TempDir())
	if got, err := look.CombinedOutput(); string(got) != "true\n" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// To stop at the first would take less time for a port that is open.
func TestAllProcessesAreLookedIntoForAListener(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	defer unix.Close(fds[0])
	var st unix.Stat_t
	if err := unix.Fstat(fds[0], &st); err != nil {
		t.Fatal(err)
	}
	self := process{dir: "/proc/self"}
	if n, err := holders([]process{self, self, self}, uint32(st.Ino), time.Now().Add(patience)); n != 3 || err != nil {
		t.Errorf("%d, %v; want 3 of 3", n, err)
	}
	if n, err := holders([]process{self}, uint32(st.Ino), time.Now()); n != 0 || err != unix.ETIMEDOUT {
		t.Errorf("too late: %d, %v", n, err)
	}
}

// Any user of the host has their processes looked into: memory and time are root's.
func TestADescriptorCostsNothingToLookAt(t *testing.T) {
	const descriptors = 4000
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for range descriptors {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fds[len(fds)-1], &st); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, held, err := process{dir: "/proc/self"}.holds(0, uint32(st.Ino), time.Now().Add(patience))
	runtime.ReadMemStats(&after)
	if !held || err != nil {
		t.Errorf("the last descriptor: %t, %v", held, err)
	}
	if each := (after.TotalAlloc - before.TotalAlloc) / descriptors; each > 80 {
		t.Errorf("%d bytes for each descriptor", each)
	}
	if _, _, err := (process{dir: "/proc/self"}).holds(0, 0, time.Now().Add(-time.Second)); err != unix.ETIMEDOUT {
		t.Errorf("too late: %v", err)
	}
}

func closedPort(t *testing.T, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// A kernel without sock_diag has a list.
func TestTheListOfSocketsSaysWhatSockDiagSays(t *testing.T) {
	for _, tt := range []struct{ network, server, client string }{
		{"tcp4", "127.0.0.1", "127.0.0.1"}, {"tcp6", "::1", "::1"}, {"tcp", "::", "127.0.0.4"},
	} {
		c, _ := connection(t, tt.network, tt.server, tt.client)
		asked := diag(c.Peer, c.Local)
		if asked.inode == 0 {
			t.Log("this kernel has no sock_diag for TCP: nothing to compare")
		}
		if in := listed(c.Peer, c.Local); asked.inode != 0 && in != asked || in.inode == 0 {
			t.Errorf("%v: sock_diag has %v, the list %v", tt, asked, in)
		}
		for _, address := range []string{tt.client, map[bool]string{true: "::", false: "0.0.0.0"}[tt.network == "tcp6"]} {
			l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
			if err != nil {
				t.Fatal(err)
			}
			at, from := netip.AddrPortFrom(c.Peer.Addr(), uint16(l.Addr().(*net.TCPAddr).Port)),
				netip.AddrPortFrom(c.Local.Addr(), 0)
			if in, has := listed(at, from), diag(at, from); asked.inode != 0 && in != has || in.inode == 0 {
				t.Errorf("%v on %s: sock_diag has %v, the list %v", at, address, has, in)
			}
			l.Close()
			if in, has := listed(at, from), diag(at, from); in.inode != 0 || has.inode != 0 {
				t.Errorf("%v, closed: %v, %v", at, in, has)
			}
		}
	}
}
