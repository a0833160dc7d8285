package main

import (
	"net"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/inetd"
)

func TestListenAnswersTheFamilyThatWasNamed(t *testing.T) {
	for _, tt := range []struct {
		addr     string
		ip4, ip6 bool
	}{
		{":0", true, true},
		{"0.0.0.0:0", true, false},
		{"[::]:0", false, true},
		{"127.0.0.1:0", true, false},
		{"[::1]:0", false, true},
		{"[::ffff:127.0.0.1]:0", true, false},
		{"[::ffff:0.0.0.0]:0", true, false},
	} {
		t.Run(tt.addr, func(t *testing.T) {
			fds, err := listen(tt.addr)
			if err != nil || len(fds) != 1 {
				t.Fatal(fds, err)
			}
			defer unix.Close(fds[0])
			if protocol, err := unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || protocol != unix.IPPROTO_TCP {
				t.Errorf("protocol %d, %v; want TCP, not Multipath TCP", protocol, err)
			}
			port := strconv.Itoa(int(inetd.LocalAddr(fds[0]).Port()))
			for host, want := range map[string]bool{"127.0.0.1": tt.ip4, "::1": tt.ip6} {
				c, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 10*time.Second)
				if (err == nil) != want {
					t.Errorf("%s answers: %t (%v); want %t", host, err == nil, err, want)
				}
				if err == nil {
					c.Close()
				}
			}
		})
	}
}
