package rig

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Target is where a client finds a server, and where the client is itself.
type Target struct {
	Addr   netip.Addr
	Port   int
	client *os.File // the client's network namespace; nil: the server's
}

// Loopback is a server found by a client on the same host.
func Loopback(port int) Target {
	return Target{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Port: port}
}

// ClientHost gives the client an address of another host's: a network namespace of
// its own, with a wire to this one. Real clients have one, and the server looks
// longer at a client that seems to run beside it (rexecd.toml(5), stderr_own_host).
// The addresses are those of documentation (RFC 5737), and have names, so that no
// server waits for a name server.
func ClientHost() (Target, error) {
	t := Target{Addr: netip.AddrFrom4([4]byte{192, 0, 2, 1})}
	const script = `set -e
ip netns add bench-client
ip link add server mtu 65535 type veth peer name client mtu 65535 netns bench-client
ip addr add 192.0.2.1/24 dev server
ip link set server up
ip -n bench-client addr add 192.0.2.2/24 dev client
ip -n bench-client link set client up
ip -n bench-client link set lo up
printf '192.0.2.1 server\n192.0.2.2 client\n' >>/etc/hosts`
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		return t, fmt.Errorf("make client's host: %w: %s", err, out)
	}
	var err error
	t.client, err = os.Open("/run/netns/bench-client")
	return t, err
}

// At is another port of the same host.
func (t Target) At(port int) Target {
	t.Port = port
	return t
}

// OnClient calls f on a thread that is in the client's network namespace.
// What it starts is there as well.
func (t Target) OnClient(f func() error) error {
	if t.client == nil {
		return f()
	}
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err = unix.Setns(int(t.client.Fd()), unix.CLONE_NEWNET); err == nil {
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			return back // and nothing else ever runs on this thread
		}
	}
	runtime.UnlockOSThread()
	return err
}

// socket makes a socket of the client's. A server that hangs is a result, not a
// reason to wait for ever.
func (t Target) socket() (fd int, err error) {
	err = t.OnClient(func() error {
		fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 60})
	return fd, nil
}

func (t Target) connect(fd int) error {
	return syscall.Connect(fd, &syscall.SockaddrInet4{Port: t.Port, Addr: t.Addr.As4()})
}

// Dial connects and sends nothing.
func (t Target) Dial() (int, error) {
	fd, err := t.socket()
	if err != nil {
		return -1, err
	}
	return fd, t.connect(fd)
}
