package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen opens the socket of -listen; by default one that only this host reaches.
func listen(addr string) ([]int, error) {
	if addr == "" {
		addr = "127.0.0.1:" + strconv.Itoa(execPort)
		if os.Geteuid() != 0 {
			addr += "0"
		}
	}
	config := net.ListenConfig{}
	// Handlers get what systemd and inetd would give them: by default Go listens for Multipath TCP as well.
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), network(addr), addr)
	if err != nil {
		hint := ""
		switch {
		case errors.Is(err, syscall.EACCES):
			hint = ": ports under 1024 need the capability cap_net_bind_service; choose another with -listen"
		case errors.Is(err, syscall.EADDRINUSE):
			hint = ": something listens there already (rexecd -check says what)"
		}
		return nil, fmt.Errorf("listen on %s: %w%s", addr, err, hint)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	defer f.Close()
	// Out of the reach of Go's poller: handlers inherit it.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, os.NewSyscallError("fcntl", err))
	}
	return []int{fd}, nil
}

// network is what an address of -listen stands for. Go takes 0.0.0.0 and :: as
// IPv4 and IPv6 both, which is not what somebody wrote who named one.
func network(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	switch ip, err := netip.ParseAddr(host); {
	case err != nil: // none, or a name
		return "tcp"
	case ip.Unmap().Is4():
		return "tcp4"
	}
	return "tcp6"
}
