package rexec

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

// All addresses of a host are tried, and one that answers is not kept waiting
// by those that do not.
func TestAllAddressesAreTried(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	open := listener.Addr().(*net.TCPAddr).AddrPort()
	var refused []netip.AddrPort // the same port, on addresses where nobody listens
	for n := range byte(20) {
		refused = append(refused, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 43, 0, n + 1}), open.Port()))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	begin := time.Now()
	conn, err := new(Client).dialAny(ctx, append(refused, open))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if took := time.Since(begin); took > 10*headStart {
		t.Errorf("took %v: addresses that refuse at once are waited for", took)
	}
	if _, err := new(Client).dialAny(ctx, refused); err == nil {
		t.Error("connected to nobody")
	}
}
