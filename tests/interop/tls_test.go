package interop

import (
	"net"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// secure starts the server with TLS, for certificates that name an address.
func secure(t *testing.T, n network, settings string, names ...string) (*lab.Listening, target, *lab.Certificates) {
	t.Helper()
	lab.AddRelayUser(t)
	c := lab.NewCertificates(t)
	settings += c.Server(t, "server", time.Time{}, names...)
	s, to := handle(t, lab.Handler{Path: lab.Server(t), Args: []string{"-tls"}, Settings: settings, Address: n.server()})
	return s, to, c
}

// Old clients, which know nothing of TLS, with stunnel on their own side.
func TestStunnelSpeaksTLSForOldClients(t *testing.T) {
	t.Parallel()
	prepare(t)
	n := connect(t, "")
	s, server, c := secure(t, n, "", n.server())
	for i, version := range []string{"TLSv1.2", "TLSv1.3"} {
		port := []string{"1514", "1515"}[i]
		daemon(t, n.gateway, "stunnel4", file(t, "foreground = yes\npid =\n[rexec]\nclient = yes\naccept = "+n.private()+":"+port+
			"\nconnect = "+net.JoinHostPort(server.host, server.port)+"\nCAfile = "+c.Dir+"/ca.crt\nverifyChain = yes\ncheckIP = "+n.server()+
			"\nsslVersion = "+version+"\n"))
		listening(t, n.gateway, map[string]int{"1514": 1514, "1515": 1515}[port])
		at := target{n.inside, n.private(), port}
		for _, old := range append([]client{ours}, foreign...) {
			if got := old.run(t, at, alice, "cat; echo err >&2", "in\n", false); got.out != "in\nerr\n" {
				t.Errorf("%s, %s: %+v", version, old.name, got)
			}
			if got := old.run(t, at, lab.User{Name: alice.Name, Password: "wrong"}, "echo no", "", false); !strings.Contains(old.said(got), "Login incorrect.") {
				t.Errorf("%s, %s: %+v", version, old.name, got)
			}
		}
	}
	s.Log.Wait(t, "Accepted password for alice from "+n.public())
}

// TLS from the client to the server, through a balancer that reads none of it and names the client
// in front of it.
func TestHAProxyPassesTLSOnWithAHeader(t *testing.T) {
	t.Parallel()
	prepare(t)
	n := connect(t, "")
	s, server, c := secure(t, n, "proxy_from = [\""+n.public()+"\"]\n", n.private())
	for i, header := range []string{"send-proxy", "send-proxy-v2"} {
		port := []string{"1516", "1517"}[i]
		config := haproxy(t, n.private(), net.JoinHostPort(server.host, server.port)+" check inter 50ms "+header)
		config[3] = file(t, strings.Replace(lab.Read(config[3]), ":1512", ":"+port, 1))
		daemon(t, n.gateway, config...)
		listening(t, n.gateway, 1516+i)
		for _, way := range [][]string{{"-a"}, {"--stderr-from", n.server()}} {
			line := append([]string{lab.Client(t), "--tls-ca", c.Dir + "/ca.crt", "-P", port, "-l", alice.Name, "-p", alice.Password}, way...)
			got := run(t, n.inside, "in\n", append(line, n.private(), "cat; echo $REXEC_CLIENT; echo err >&2")...)
			if got.status != 0 || !strings.HasPrefix(got.out, "in\n10.") || !strings.Contains(got.out+got.err, "err\n") {
				t.Errorf("%s %v: %+v", header, way, got)
			}
		}
	}
	if r := s.Log.Wait(t, "Accepted password for alice from 10."); r["REXEC_PROXY"] != n.public() {
		t.Errorf("the record is %v", r)
	}
}
