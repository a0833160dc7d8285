package rsh

import (
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// sourceRouted makes a network in which all hosts obey source routes, as they did when rsh was
// young. Nobody there has a route to 10.99.0.9, whom the server's account trusts, but the gateway
// and the stranger, who has given themself that address:
//
// stranger 10.77.0.2, 10.99.0.9 -- 10.77.0.1 gateway 10.77.1.1 -- 10.77.1.10 server
func sourceRouted(t testing.TB) {
	t.Helper()
	const obey = `unshare --mount sh -euc "mount -t proc proc /mnt; cd /mnt/sys/net/ipv4
		for c in conf/*; do echo 1 >\$c/accept_source_route; echo 0 >\$c/rp_filter; done; echo 1 >ip_forward"`
	lab.Run(t, "sh", "-euxc", `
		ip netns add stranger; ip netns add routes
		ip link add server type veth peer name outer netns routes
		ip -n routes link add inner type veth peer name eth0 netns stranger
		ip addr add 10.77.1.10/24 dev server; ip link set server up
		ip -n routes addr add 10.77.1.1/24 dev outer; ip -n routes addr add 10.77.0.1/24 dev inner
		ip -n routes link set outer up; ip -n routes link set inner up
		ip -n stranger addr add 10.77.0.2/24 dev eth0; ip -n stranger addr add 10.99.0.9/32 dev lo
		ip -n stranger link set eth0 up; ip -n stranger link set lo up; ip -n stranger route add default via 10.77.0.1
		ip -n routes route replace 10.99.0.9 via 10.77.0.2
		`+obey+`; ip netns exec routes `+obey+`; ip netns exec stranger `+obey)
	t.Cleanup(func() {
		lab.Run(t, "sh", "-euxc", "ip netns del stranger; ip netns del routes")
	})
}

// asTrusted connects to the server by way of the gateway, from a reserved port of 10.99.0.9.
const asTrusted = `
import socket, sys
s = socket.socket(); s.settimeout(20)
s.setsockopt(socket.IPPROTO_IP, 4, b"\x01\x83\x07\x04" + socket.inet_aton("10.77.0.1"))
s.bind(("10.99.0.9", int(sys.argv[1])))
s.connect(("10.77.1.10", int(sys.argv[2])))
print("connected", flush=True)
s.sendall(b"\0someone\0" + sys.argv[3].encode() + b"\0id\0")
s.shutdown(socket.SHUT_WR)
got = b""
while True:
    try: b = s.recv(100)
    except ConnectionResetError: break # with the request unread
    if not b: break
    got += b
print(got)
`

func TestASourceRouteLetsNobodyBeTheTrustedHost(t *testing.T) {
	sourceRouted(t)
	u := newUser(t, lab.User{}, "10.99.0.9 someone\n")
	attack := func(from int, addr string) string {
		_, port, _ := net.SplitHostPort(addr)
		out, err := exec.Command("ip", "netns", "exec", "stranger", "/usr/bin/python3", "-c", asTrusted, fmt.Sprint(from), port, u.Name).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		return string(out)
	}
	// A server that does not look takes the connection for the trusted host's.
	l, err := net.Listen("tcp4", "10.77.1.10:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seen := make(chan string, 1)
	go func() {
		l.(*net.TCPListener).SetDeadline(time.Now().Add(lab.Patience))
		c, err := l.Accept()
		if err != nil {
			seen <- err.Error()
			return
		}
		seen <- c.RemoteAddr().String()
		c.Close()
	}()
	out := attack(701, l.Addr().String())
	if from := <-seen; from != "10.99.0.9:701" {
		t.Fatalf("the route leads nowhere: %s; %s", from, out)
	}

	s := serve(t, trust, trustStack, lab.Handler{Address: "10.77.1.10"})
	if out := attack(702, s.Addr); out != "connected\nb''\n" {
		t.Errorf("%s", out)
	}
	s.Log.Wait(t, "from 10.99.0.9 port 702: IP options")
}
