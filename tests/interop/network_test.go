package interop

import (
	"fmt"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"rexecd/tests/lab"
)

// A network is three hosts in a row:
//
// inside 10.N.0.2 -- 10.N.0.1 gateway 10.N.1.1 -- 10.N.1.10 and 10.N.1.11 the private host, which
// has the servers
//
// Each test that changes the gateway's rules has one of its own.
type network struct {
	n               int64
	inside, gateway string // namespaces
}

var (
	networks atomic.Int64
	serial   sync.Mutex // ip netns
)

func (n network) private() string { return fmt.Sprintf("10.%d.0.1", n.n) }
func (n network) public() string  { return fmt.Sprintf("10.%d.1.1", n.n) }
func (n network) server() string  { return fmt.Sprintf("10.%d.1.10", n.n) }
func (n network) second() string  { return fmt.Sprintf("10.%d.1.11", n.n) }

// connect makes a network whose gateway forwards and filters by rules, an nftables table named ip
// lab.
func connect(t testing.TB, rules string) network {
	t.Helper()
	n := network{n: networks.Add(1)}
	n.inside, n.gateway = fmt.Sprintf("inside%d", n.n), fmt.Sprintf("gateway%d", n.n)
	serial.Lock()
	defer serial.Unlock()
	text, err := exec.Command("sh", "-euxc", fmt.Sprintf(`n=%d inside=$0 gateway=$1
		ip netns add $inside; ip netns add $gateway
		ip link add server$n type veth peer name outer netns $gateway
		ip -n $gateway link add inner type veth peer name eth0 netns $inside
		ip addr add 10.$n.1.10/24 dev server$n; ip addr add 10.$n.1.11/24 dev server$n
		ip -n $gateway addr add 10.$n.1.1/24 dev outer; ip -n $gateway addr add 10.$n.0.1/24 dev inner
		ip -n $inside addr add 10.$n.0.2/24 dev eth0
		ip link set server$n up; ip -n $gateway link set outer up; ip -n $gateway link set inner up
		ip -n $gateway link set lo up; ip -n $inside link set eth0 up; ip -n $inside link set lo up
		ip -n $inside route add default via 10.$n.0.1; ip route add 10.$n.0.0/24 via 10.$n.1.1
		ip netns exec $gateway nft -f /dev/stdin <<-END
			table ip lab {
				`+rules+`
			}
		END
		`, n.n),
		n.inside, n.gateway).CombinedOutput()
	if err != nil {
		t.Fatalf("make network: %v\n%s", err, text)
	}
	n.sysctl(t, "echo 1 >ipv4/ip_forward")
	t.Cleanup(func() {
		lab.Run(t, "ip", "netns", "del", n.inside)
		lab.Run(t, "ip", "netns", "del", n.gateway)
	})
	return n
}

// sysctl runs a script in the gateway's /proc/sys/net: the private host's own cannot be written.
func (n network) sysctl(t testing.TB, script string) {
	t.Helper()
	lab.Run(t, "ip", "netns", "exec", n.gateway, "unshare", "--mount", "sh", "-euc", "mount -t proc proc /mnt; cd /mnt/sys/net; "+script)
}

// forget makes the gateway forget connections that nothing passed through for two seconds.
func (n network) forget(t testing.TB) {
	t.Helper()
	n.sysctl(t, "for s in established close_wait fin_wait last_ack; do echo 2 >netfilter/nf_conntrack_tcp_timeout_$s; done")
}
