package session

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheCommandsSocketsAreTheUsersWithoutRootsOptions(t *testing.T) {
	needRoot(t)
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fd := int(f.Fd())
		for opt, v := range map[int]int{unix.SO_PRIORITY: 7, unix.SO_MARK: 5} {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, v); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1); err != nil {
			t.Fatal(err)
		}
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(null)
		if err := (Streams{null, fd, fd}).handOver(someUID); err != nil {
			t.Fatal(err)
		}
		var st, device unix.Stat_t
		unix.Fstat(fd, &st)
		unix.Fstat(null, &device)
		priority, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY)
		transparent, _ := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT)
		mark, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK)
		if st.Uid != someUID || device.Uid == someUID || priority != 6 || transparent != 0 || mark != 5 {
			t.Errorf("%s: owner %d, /dev/null's %d, priority %d, transparent %d, mark %d", network, st.Uid, device.Uid, priority, transparent, mark)
		}
	}
}
