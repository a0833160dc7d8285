package inetd

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Handed reports whether the process seems to have been started by a super-server:
// with sockets by LISTEN_FDS, or with a TCP connection as descriptor 0.
func Handed() bool {
	if listenFds() > 0 {
		return true
	}
	peer, err := unix.Getpeername(0)
	return err == nil && addrPort(peer).IsValid()
}

// Connected reports whether the process was started with a connection, even one
// that the peer has reset since, and not with a listening socket.
func Connected() bool {
	from := 0
	if listenFds() > 0 {
		from = listenFdsStart
	}
	listening, err := unix.GetsockoptInt(from, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && listening == 0 && LocalAddr(from).IsValid()
}

// listenFdsStart is SD_LISTEN_FDS_START of sd_listen_fds(3).
const listenFdsStart = 3

// listenFds is how many sockets were passed to this very process, as
// sd_listen_fds(3) counts them. It is what go-systemd's activation.Files does,
// which a test compares it with; that package brings crypto/tls and net/url
// along, a quarter of a millisecond in every process.
func listenFds() int {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Listeners returns the listening TCP sockets that systemd (Accept=no) or inetd
// (wait) handed over, on high close-on-exec descriptors; none if there are none.
func Listeners() ([]int, error) {
	first, n := 0, 1
	if passed := listenFds(); passed > 0 {
		first, n = listenFdsStart, passed
	}
	var fds []int
	for from := first; from < first+n; from++ {
		if on, err := unix.GetsockoptInt(from, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
			if from == 0 {
				return nil, nil // a terminal, for example
			}
			return nil, fmt.Errorf("descriptor %d is not a listening socket: use Accept=no in the socket unit", from)
		}
		if !LocalAddr(from).IsValid() {
			return nil, fmt.Errorf("descriptor %d does not listen on TCP: use ListenStream= with a port in the socket unit", from)
		}
		fd, err := unix.FcntlInt(uintptr(from), unix.F_DUPFD_CLOEXEC, highFd)
		if err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
		unix.CloseOnExec(from)
		fds = append(fds, fd)
	}
	return fds, nil
}

// LocalAddr is where a TCP socket is bound; not valid for any other descriptor.
func LocalAddr(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}
