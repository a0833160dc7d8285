package interop

import (
	"net"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// balanced starts HAProxy on the gateway, with options, in front of a server that knows it.
func balanced(t *testing.T, options string) target {
	t.Helper()
	n := connect(t, "")
	_, server := handle(t, lab.Handler{Path: lab.Server(t), Settings: "proxy_from = [\"" + n.public() + "\"]\n", Address: n.server()})
	daemon(t, n.gateway, haproxy(t, n.private(), net.JoinHostPort(server.host, server.port)+" "+options)...)
	listening(t, n.gateway, 1512)
	return target{n.inside, n.private(), "1512"}
}

// HAProxy's checks, of all kinds, come from the address that everybody comes from. None may cost
// anything, or fill the log.
func TestHAProxysChecksWithAHeaderCostNothing(t *testing.T) {
	t.Parallel()
	prepare(t)
	for _, options := range []string{
		" send-proxy check inter 20ms", " send-proxy-v2 check inter 20ms",
		" send-proxy check inter 20ms\n  option tcp-check\n  tcp-check connect send-proxy\n  tcp-check send-binary 00",
	} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			n := connect(t, "")
			s, server := handle(t, lab.Handler{Path: lab.Server(t), Address: n.server(), Settings: "proxy_from = [\"" + n.public() + "\"]\n" +
				"[penalties]\nnoauth = 200\nprotocol = 200\nmin = 300\nmax = 600\n"})
			daemon(t, n.gateway, haproxy(t, n.private(), net.JoinHostPort(server.host, server.port)+options)...)
			listening(t, n.gateway, 1512)
			lab.Eventually(t, "a dozen checks", func() bool { return len(s.Processes()) > 12 })
			at := target{n.inside, n.private(), "1512"}
			if got := gnu.run(t, at, alice, "echo yes", "", false); got.out != "yes\n" {
				t.Errorf("%+v", got)
			}
			r := s.Log.Wait(t, "Accepted password for alice from 10.")
			if r["REXEC_PROXY"] != n.public() || !strings.HasSuffix(r["REXEC_PEER"], ".0.2") {
				t.Errorf("the record is %v", r)
			}
			// A check that HAProxy resets at once may be over before the peer's address was read.
			for _, r := range s.Log.Records() {
				if r["REXEC_PEER"] == n.public() {
					t.Errorf("a check left %q", r["MESSAGE"])
				}
			}
		})
	}
}

// A backend that dies takes its own sessions along and no other.
func TestABackendThatDiesEndsItsOwnSessionsOnly(t *testing.T) {
	t.Parallel()
	prepare(t)
	n := connect(t, "")
	var backends [2]*lab.Listening
	lines := ""
	for i := range backends {
		s, to := handle(t, lab.Handler{Path: lab.Server(t), Address: n.server(), Port: 512 + i,
			Settings: "proxy_from = [\"" + n.public() + "\"]\n"})
		backends[i] = s
		lines += "\n  server s" + to.port + " " + net.JoinHostPort(to.host, to.port) + " send-proxy-v2 check inter 50ms fall 2"
	}
	config := haproxy(t, n.private(), "")
	text := lab.Read(config[3])
	config[3] = file(t, strings.Replace(text, "  server one \n", "  balance roundrobin"+lines+"\n", 1))
	daemon(t, n.gateway, config...)
	listening(t, n.gateway, 1512)
	at := target{n.inside, n.private(), "1512"}
	results := make(chan result, 8)
	for range 8 {
		line := oursLine(t, at, alice, "sleep 3; cat; echo ended", false)
		go func() {
			r, _ := attempt(t, bound, at.namespace, "in\n", line...)
			results <- r
		}()
	}
	lab.Eventually(t, "eight sessions", func() bool {
		return strings.Count(backends[0].Log.Raw()+backends[1].Log.Raw(), "MESSAGE=Accepted password") == 8
	})
	for _, p := range backends[0].Processes() { // as a host that dies: the sockets are gone with their processes
		select {
		case <-p.Exited: // a check's
		default:
			for _, shell := range lab.Children(p.Pid) {
				syscall.Kill(-shell, syscall.SIGKILL)
			}
			syscall.Kill(p.Pid, syscall.SIGKILL)
		}
	}
	whole := 0
	for range 8 {
		if r := <-results; r.out == "in\nended\n" {
			whole++
		}
	}
	if whole != 4 {
		t.Errorf("%d sessions ended in order; want the other backend's 4", whole)
	}
}
