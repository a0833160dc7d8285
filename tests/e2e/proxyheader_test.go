package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

const fromLoopback = "proxy_from = [\"127.0.0.1\"]\n"

// version2 is a header of version 2 for IPv4.
func version2(command byte, client, called string, clientPort, calledPort uint16, after string) string {
	h := "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{0x20 | command, 0x11, 0, byte(12 + len(after))})
	h += string(net.ParseIP(client).To4()) + string(net.ParseIP(called).To4())
	return h + string([]byte{byte(clientPort >> 8), byte(clientPort), byte(calledPort >> 8), byte(calledPort)}) + after
}

func TestBehindAProxyThePeerIsItsClient(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: fromLoopback +
		"[[rule]]\nname = 'client'\nfrom = ['192.0.2.7', '2001:db8::7']\nto = ['198.51.100.1', '2001:db8::1']\n"})
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 198.51.100.1 40112 512\r\n":                     "192.0.2.7 40112 512",
		"PROXY TCP6 2001:db8::7 2001:db8::1 40113 512\r\n":                    "2001:db8::7 40113 512",
		version2(1, "192.0.2.7", "198.51.100.1", 40114, 512, "\x04\x00\x01x"): "192.0.2.7 40114 512",
	} {
		a := lab.AskRaw(t, s.Addr, append([]byte(header), request(u, "echo $REXEC_CLIENT; cat").Bytes()...))
		if a.Err != nil || string(a.All) != "\x00"+want+"\n" {
			t.Errorf("%q: %v; want %q", header, a, want)
		}
		words := strings.Fields(want)
		r := s.Log.Wait(t, "Accepted password for "+u.Name+" from "+words[0]+" port "+words[1])
		if r["REXEC_PEER"] != words[0] || r["REXEC_PROXY"] != "127.0.0.1" {
			t.Errorf("%q: the record is %v", header, r)
		}
	}
	other := "PROXY TCP4 192.0.2.8 198.51.100.1 40112 512\r\n"
	if a := lab.AskRaw(t, s.Addr, append([]byte(other), request(u, "echo no").Bytes()...)); string(a.All) != "\x01Permission denied.\n" {
		t.Errorf("a client that no rule names: %v", a)
	}
}

func TestAProxysHealthChecksLeaveNoRecord(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: fromLoopback + "[penalties]\nnoauth = 100\nprotocol = 100\nmin = 10\n"})
	for _, check := range []string{"", "PROXY UNKNOWN\r\n", version2(0, "127.0.0.1", "127.0.0.1", 1, 2, "")} {
		for _, after := range []string{"", string(request(u, "echo no").Bytes())} {
			if check == "" && after != "" {
				continue
			}
			if a := lab.AskRaw(t, s.Addr, []byte(check+after)); len(a.All) > 0 {
				t.Errorf("%q was answered: %v", check+after, a)
			}
		}
	}
	c := lab.Dial(t, s.Addr) // a client that is the proxy itself, to the port
	local := c.LocalAddr().(*net.TCPAddr)
	fmt.Fprintf(c, "PROXY TCP4 127.0.0.1 127.0.0.1 %d 512\r\n%s", local.Port, request(u, "echo no").Bytes())
	if b, _ := io.ReadAll(c); len(b) > 0 {
		t.Errorf("the proxy's own end was answered: %q", b)
	}
	for _, p := range s.Processes() {
		p.Wait(t)
	}
	if s.Log.Raw() != "" {
		t.Errorf("the log has %q", s.Log.Raw())
	}
	wantRaw(t, s.Addr, "PROXY TCP4 127.0.0.1 127.0.0.1 40112 512\r\n"+string(request(u, "echo in").Bytes()), "\x00in\n")
}

func wantRaw(t testing.TB, addr, sent, want string) {
	t.Helper()
	if a := lab.AskRaw(t, addr, []byte(sent)); string(a.All) != want {
		t.Errorf("%.80q: %v; want %q", sent, a, want)
	}
}

// The client of a proxy listens where it is, and is reached there; but not through this
// host's own addresses, unless the client's process is there.
func TestTheStderrConnectionGoesToTheProxysClient(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	l, err := net.Listen("tcp", "127.0.0.77:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	header := "PROXY TCP4 127.0.0.77 198.51.100.1 40112 512\r\n"
	r := request(u, "echo out; echo err >&2")
	r.Port = itoa(port)

	s := serve(t, lab.Handler{Settings: fromLoopback + "stderr_own_host = true\n"})
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		b, err := io.ReadAll(c)
		got <- fmt.Sprintf("%s%v", b, err)
	}()
	wantRaw(t, s.Addr, header+string(r.Bytes()), "\x00out\n")
	if e := <-got; e != "err\n<nil>" {
		t.Errorf("stderr connection: %q", e)
	}

	s = serve(t, lab.Handler{Settings: fromLoopback})
	wantRaw(t, s.Addr, header+string(r.Bytes()), fmt.Sprintf("\x01cannot connect to stderr port %d: Connection refused\n", port))

	s = serve(t, lab.Handler{Settings: fromLoopback + "proxy_stderr = \"no\"\n"})
	wantRaw(t, s.Addr, header+string(r.Bytes()), "\x01stderr connections are not made through the proxy: use one connection (rexec -a)\n")
	s.Log.Wait(t, "the setting proxy_stderr is no")
	r.Port = ""
	wantRaw(t, s.Addr, header+string(r.Bytes()), "\x00out\nerr\n")
}
