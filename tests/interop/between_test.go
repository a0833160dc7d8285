package interop

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// A between is what stands between clients and the server.
type between struct {
	name string
	// open starts it, and a server, and returns where the clients are and where they go.
	open func(t *testing.T) target
}

// masquerading is a gateway that hides the clients behind its own address.
const masquerading = `chain post { type nat hook postrouting priority 100; oifname "outer" masquerade
	}
	`

var betweens = []between{
	{"masquerading gateway", func(t *testing.T) target {
		return connect(t, masquerading).behind(t)
	}},
	{"masquerading gateway that drops", func(t *testing.T) target {
		n := connect(t, masquerading+`chain in { type filter hook input priority 0; iifname "outer" ct state new drop
			}`)
		return n.behind(t)
	}},
	{"redirecting gateway (DNAT)", func(t *testing.T) target {
		return redirected(t, "")
	}},
	{"redirecting and masquerading gateway", func(t *testing.T) target {
		return redirected(t, `chain post { type nat hook postrouting priority 100; oifname "inner" masquerade
			}`)
	}},
	{"second address of the server", func(t *testing.T) target {
		n := connect(t, "")
		s := lab.Handler{Path: lab.Server(t), Settings: "stderr = \"yes\"\n", Address: "0.0.0.0"}.Start(t)
		return target{n.inside, n.second(), at(t, s.Addr).port}
	}},
	{"HAProxy (mode tcp)", func(t *testing.T) target { return proxied(t, haproxy) }},
	{"HAProxy (mode tcp, send-proxy)", func(t *testing.T) target { return balanced(t, "send-proxy") }},
	{"HAProxy (mode tcp, send-proxy-v2)", func(t *testing.T) target { return balanced(t, "send-proxy-v2") }},
	{"stunnel on both hosts", func(t *testing.T) target { return proxied(t, stunnel) }},
	{"socat", func(t *testing.T) target { return proxied(t, socat) }},
	{"socat on the server's host", func(t *testing.T) target {
		n := connect(t, "")
		s := lab.Handler{Path: lab.Server(t), Settings: "stderr = \"yes\"\n"}.Start(t)
		daemon(t, "", socat(t, n.server(), s.Addr)...)
		listening(t, "", 1512)
		return target{n.inside, n.server(), "1512"}
	}},
}

// behind starts a server for clients that reach it by its own address.
func (n network) behind(t *testing.T) target {
	t.Helper()
	_, to := handle(t, lab.Handler{Path: lab.Server(t), Settings: "stderr = \"yes\"\n", Address: n.server()})
	to.namespace = n.inside
	return to
}

// redirected starts a server for clients that reach it by the gateway's address.
func redirected(t *testing.T, rules string) target {
	t.Helper()
	n := connect(t, rules)
	to := n.behind(t)
	rule := `table ip lab {
		chain pre { type nat hook prerouting priority -100; iifname "inner" tcp dport ` + to.port + ` dnat to ` + to.host + `
		}
	}
	`
	if r := run(t, n.gateway, rule, "nft", "-f", "/dev/stdin"); r.status != 0 {
		t.Fatalf("nft: %s", r.err)
	}
	to.host = n.private()
	return to
}

// proxied starts a proxy on the gateway, in front of a server. proxy returns its command line, to
// listen on port 1512 of an address and pass on to another address and port.
func proxied(t *testing.T, proxy func(t testing.TB, listen, to string) []string) target {
	t.Helper()
	n := connect(t, "")
	server := n.behind(t)
	daemon(t, n.gateway, proxy(t, n.private(), net.JoinHostPort(server.host, server.port))...)
	listening(t, n.gateway, 1512)
	return target{n.inside, n.private(), "1512"}
}

func socat(t testing.TB, listen, to string) []string {
	return []string{"socat", "TCP-LISTEN:1512,fork,reuseaddr,bind=" + listen, "TCP:" + to}
}

// file writes a file that lives as long as the test.
func file(t testing.TB, text string) string {
	t.Helper()
	path := t.TempDir() + "/file"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func haproxy(t testing.TB, listen, to string) []string {
	return []string{"haproxy", "-db", "-f", file(t, `defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen exec
  bind `+listen+`:1512
  server one `+to+"\n")}
}

// stunnel starts the far end, which talks to the server, and returns the near one.
func stunnel(t testing.TB, listen, to string) []string {
	t.Helper()
	dir := t.TempDir()
	lab.Run(t, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab", "-days", "2", "-keyout", dir+"/key", "-out", dir+"/cert")
	host, _, _ := strings.Cut(to, ":")
	far := net.JoinHostPort(host, strconv.Itoa(1513))
	daemon(t, "", "stunnel4", file(t, "foreground = yes\npid =\n[far]\naccept = "+far+"\nconnect = "+to+"\ncert = "+dir+"/cert\nkey = "+dir+"/key\n"))
	listening(t, "", 1513)
	return []string{"stunnel4", file(t, "foreground = yes\npid =\n[near]\nclient = yes\naccept = "+listen+":1512\nconnect = "+far+"\n")}
}

// idle is how long a command is silent: longer than a gateway that forgets.
const idle = "6"

// Without keepalive the gateway has forgotten the connection when the command writes again, and
// nothing arrives.
func TestKeepaliveOutlivesAnIdleGateway(t *testing.T) {
	t.Parallel()
	prepare(t)
	n := connect(t, masquerading)
	n.forget(t)
	for _, c := range []struct {
		keepalive string
		arrives   bool
	}{{`"1s"`, true}, {"false", false}} {
		t.Run(c.keepalive, func(t *testing.T) {
			t.Parallel()
			_, to := handle(t, lab.Handler{Path: lab.Server(t), Settings: "keepalive = " + c.keepalive + "\n", Address: n.server()})
			to.namespace = n.inside
			// GNU's client sets no keepalive of its own.
			wait := bound
			if !c.arrives {
				wait = 12 * time.Second // it waits for ever
			}
			got, _ := attempt(t, wait, to.namespace, "", gnuLine(t, to, alice, "cat; sleep "+idle+"; echo late", false)...)
			if (got.out == "late\n") != c.arrives {
				t.Errorf("%+v; want late output: %v", got, c.arrives)
			}
		})
	}
}

// A load balancer's check, which connects and closes, is a penalty of its address; a PROXY header
// is not the protocol, and the log says what it is.
func TestHAProxysHeaderIsNamedInTheLog(t *testing.T) {
	t.Parallel()
	prepare(t)
	n := connect(t, "")
	s, server := handle(t, lab.Handler{Path: lab.Server(t), Address: n.server()})
	daemon(t, n.gateway, haproxy(t, n.private(), net.JoinHostPort(server.host, server.port)+" send-proxy")...)
	listening(t, n.gateway, 1512)
	at := target{n.inside, n.private(), "1512"}
	for _, c := range append([]client{ours}, foreign...) {
		if got := c.run(t, at, alice, "echo no", "", false); got.out == "no\n" || !strings.Contains(c.said(got), "stderr port is not a number") {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	r := s.Log.Wait(t, "Protocol error from "+n.public())
	if !strings.Contains(r["MESSAGE"], "PROXY") {
		t.Errorf("the log has %q", r["MESSAGE"])
	}
}

// A load balancer's check is a failure of the proxy's address, and so of everybody behind it: one
// that connects and closes, and one that waits for an answer to what is not the protocol. Neither
// depends on who is faster. HAProxy's plain check does: it resets the connection, often before a
// server has accepted it, and then nobody is charged.
func TestAHealthCheckPenalisesTheProxyUnlessItIsExempt(t *testing.T) {
	t.Parallel()
	prepare(t)
	for _, check := range []struct{ offence, script string }{
		{"noauth", "tcp-check connect linger"},
		{"protocol", "tcp-check connect\n  tcp-check send-binary 7800\n  tcp-check expect binary 01"},
	} {
		settings := "[penalties]\n" + check.offence + " = 200\nmin = 300\nmax = 600\n"
		for _, exempt := range []bool{false, true} {
			want := tooMany + "\n"
			if exempt {
				want = "yes\n"
			}
			t.Run(check.offence+" "+want, func(t *testing.T) {
				t.Parallel()
				n := connect(t, "")
				settings := settings
				if exempt {
					settings += "exempt = [\"" + n.public() + "\"]\n"
				}
				s, to := handle(t, lab.Handler{Path: lab.Server(t), Settings: settings, Address: n.server()})
				daemon(t, n.gateway, haproxy(t, n.private(), net.JoinHostPort(to.host, to.port)+
					" check inter 500ms fall 1000\n  timeout check 1m\n  option tcp-check\n  "+check.script)...)
				listening(t, n.gateway, 1512)
				lab.Eventually(t, "two failed checks, after which a source waits", func() bool {
					return strings.Count(s.Log.Raw(), "MESSAGE=Protocol error from "+n.public()) >= 2
				})
				got := gnu.run(t, target{n.inside, n.private(), "1512"}, alice, "echo yes", "", false)
				if got.out != want {
					t.Errorf("%+v; want %q", got, want)
				}
			})
		}
	}
}
