package inetd

import (
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A relay may come from any address of this host's, and be told to: stunnel's "local".
func TestEveryAddressOfThisHostIsItsOwn(t *testing.T) {
	needRoot(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with its network
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		for _, args := range []string{
			"link set lo up", "address add 10.9.0.1/24 dev lo", "address add 10.9.0.2/24 dev lo",
			"route add local 10.77.0.0/24 dev lo", "route add 192.0.2.0/24 dev lo",
			"address add 2001:db8:1::1/64 dev lo nodad", "address add 2001:db8:1::2/64 dev lo nodad",
			"route add local 2001:db8:7::/64 dev lo", "route add 2001:db8:8::/64 dev lo", "address add fe80::7/64 dev lo nodad",
		} {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Errorf("ip %s: %s, %v", args, out, err)
			}
		}
		for address, want := range map[string]bool{
			"127.0.0.9": true, "10.9.0.1": true, "10.9.0.2": true, "10.9.0.3": true, "10.77.0.5": true, "::ffff:10.9.0.2": true, "::ffff:10.77.0.5": true,
			"192.0.2.1": false, "198.51.100.1": false, "::ffff:192.0.2.1": false,
			"::1": true, "2001:db8:1::1": true, "2001:db8:1::2": true, "2001:db8:7::5": true, "fe80::7%1": true,
			"2001:db8:8::1": false, "2001:db8:1::3": false, "2001:db8:9::1": false, "fe80::8%1": false,
		} {
			addr := netip.MustParseAddr(address)
			var to unix.Sockaddr
			if addr.Is4() {
				to = &unix.SockaddrInet4{Addr: addr.As4(), Port: 2000}
			} else {
				six := &unix.SockaddrInet6{Addr: addr.As16(), Port: 2000}
				if addr.Zone() != "" {
					six.ZoneId = 1 // lo
				}
				to = six
			}
			if got := ownHost(to, netip.MustParseAddr("10.9.0.1")); got != want {
				t.Errorf("%s: own %t; want %t", address, got, want)
			}
		}
	}()
	<-done
}
