package client

import (
	"net"
	"testing"

	"rexecd/tests/lab"
)

// An address that means something on one interface only.
func TestLinkLocalAddressWithItsZone(t *testing.T) {
	hosts(t)                                                               // for alice
	lab.Run(t, "ip", "address", "add", "fe80::1/64", "dev", "lo", "nodad") // of the private host
	t.Cleanup(func() { lab.Run(t, "ip", "address", "delete", "fe80::1/64", "dev", "lo") })
	server := lab.Handler{Path: lab.Server(t), Address: "::"}.Start(t)
	_, port, _ := net.SplitHostPort(server.Addr)
	for _, address := range []string{"fe80::1%lo", "[fe80::1%lo]"} {
		rexec(t, host{port: port}, nil, address, "echo out; echo err >&2").want(t, "out\n", "err\n", 0)
	}
}
