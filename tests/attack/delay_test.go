package attack

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

// A slow network, for kernels without sch_netem: a tun device whose other end is this test. What
// is sent to 198.18.0.2 comes back after a while with source and destination changed over, which
// leaves every checksum right: so 198.18.0.1 is both the client and the server, and each knows
// the other as 198.18.0.2.
const (
	near = "198.18.0.1"
	far  = "198.18.0.2"
)

// slowNetwork makes the network, each packet of which takes delay and up to jitter more, so that
// some overtake others, and one in twenty comes twice. It returns how many have passed.
func slowNetwork(t *testing.T, delay, jitter time.Duration) *atomic.Int64 {
	t.Helper()
	node := openDir(t) + "/tun"
	if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 200))); err != nil {
		t.Fatalf("mknod: %v", err)
	}
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open tun device: %v", err)
	}
	req, err := unix.NewIfreq("attack0")
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(req))); e != 0 {
		t.Fatalf("ioctl TUNSETIFF: %v", e)
	}
	tun := os.NewFile(uintptr(fd), "tun")
	t.Cleanup(func() { tun.Close() })
	lab.Run(t, "ip", "addr", "add", near, "peer", far, "dev", "attack0")
	lab.Run(t, "ip", "link", "set", "attack0", "up")
	var passed atomic.Int64
	go func() {
		for {
			packet := make([]byte, 2048)
			n, err := tun.Read(packet)
			if err != nil {
				return // closed
			}
			if packet = packet[:n]; n < 20 || packet[0]>>4 != 4 {
				continue // IPv6's looking for neighbours
			}
			for i := 12; i < 16; i++ {
				packet[i], packet[i+4] = packet[i+4], packet[i]
			}
			passed.Add(1)
			for range 1 + (rand.IntN(20)+1)/20 {
				time.AfterFunc(delay+rand.N(jitter), func() { _, _ = tun.Write(packet) })
			}
		}
	}()
	return &passed
}

func TestWithASlowNetworkNothingIsLost(t *testing.T) {
	t.Parallel()
	const delay = 120 * time.Millisecond
	passed := slowNetwork(t, delay, delay/2)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Address: near})
	addr := far + s.Addr[strings.LastIndex(s.Addr, ":"):]

	begin := time.Now()
	session := open(t, near, addr, u, "sha256sum; head -c 100000 /dev/zero; head -c 100000 /dev/zero >&2")
	if took := time.Since(begin); took < 4*delay { // two handshakes, and the request's way and the status byte's
		t.Errorf("a command was started after %v: the network is not slow", took)
	}
	sent := bytes.Repeat([]byte("slow"), 25_000)
	session.Primary.Write(sent)
	a := session.Rest(t)
	if want := fmt.Sprintf("%x  -\n", sha256.Sum256(sent)); !strings.HasPrefix(string(a.All), want) || len(a.All) != len(want)+100_000 || len(a.Stderr) != 100_000 || a.Err != nil {
		t.Errorf("%d bytes, %d of stderr, %v; the sum is %.70q", len(a.All), len(a.Stderr), a.Err, a.All)
	}

	session = open(t, near, addr, u, "trap 'echo told; exit' TERM; echo ready; while :; do sleep .1; done")
	session.Line(t)
	session.Signal(t, 15)
	if line := session.Line(t); line != "told" {
		t.Errorf("a signal is answered by %q", line)
	}
	session.Rest(t)

	for _, r := range []lab.Request{{User: u.Name, Password: "x", Command: "id"}, {User: strings.Repeat("u", 9000), Password: "x", Command: "id"}} {
		c := from(t, near, addr)
		c.Write(r.Bytes())
		c.Write(make([]byte, 100_000)) // more than was read when the answer leaves: it must not be lost with it
		answer, err := io.ReadAll(c)
		if err != nil || len(answer) == 0 || answer[0] != 1 || answer[len(answer)-1] != '\n' {
			t.Errorf("the refusal is %q, %v", answer, err)
		}
	}
	allGone(t, s)
	t.Logf("%d packets", passed.Load())
}
