package attack

import (
	"io"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

const (
	clientHeader = "PROXY TCP4 192.0.2.7 192.0.2.1 40112 512\r\n"
	binaryHeader = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0f\xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\xb0\x02\x00\x04\x00\x00"
	noPort       = "\x01stderr port is not a number from 0 to 65535\n"
)

// Whoever is not a proxy gains nothing by a header: not another's address, and not a
// second reading of the connection's beginning.
func TestAHeaderFromAStrangerIsNotBelieved(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "proxy_from = [\"192.0.2.90\"]\n[[rule]]\nfrom = ['192.0.2.7', '192.0.2.91']\n", Address: "192.0.2.1"})
	for _, header := range []string{clientHeader, binaryHeader} {
		if got := askRaw(t, "192.0.2.91", s.Addr, header+string(request(u, "echo no").Bytes())); got != noPort {
			t.Errorf("a header from a stranger: %q", got)
		}
		s.Log.Wait(t, "Protocol error from 192.0.2.91 port ")
		// A header within a header's connection is the protocol's first field, and none of it.
		if got := askRaw(t, "192.0.2.90", s.Addr, header+header+string(request(u, "echo no").Bytes())); got != noPort {
			t.Errorf("two headers: %q", got)
		}
	}
	if got := ask(t, "192.0.2.91", s.Addr, request(u, "echo in")); got != "\x00in\n" {
		t.Errorf("without one: %q", got)
	}
	if raw := s.Log.Raw(); strings.Contains(raw, "Accepted password for "+u.Name+" from 192.0.2.7") {
		t.Errorf("the log has %q", raw)
	}
}

func askRaw(t testing.TB, source, addr, sent string) string {
	t.Helper()
	c := from(t, source, addr)
	defer c.Close()
	c.Write([]byte(sent))
	c.CloseWrite()
	all, _ := io.ReadAll(c)
	return string(all)
}

func TestAProxysConnectionWithoutACompleteHeaderIsNotServed(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	const proxy = "192.0.2.92"
	s := serve(t, lab.Handler{Settings: "proxy_from = [\"" + proxy + "\"]\n" + harsh, Address: "192.0.2.1"})
	after := string(request(u, "echo no").Bytes())
	if got := askRaw(t, proxy, s.Addr, after); got != "\x01a PROXY header is expected from this address\n" {
		t.Errorf("without a header: %q", got)
	}
	s.Log.Wait(t, "Protocol error from "+proxy+" port ")
	for _, header := range []string{clientHeader, binaryHeader} {
		for n := 1; n < len(header); n++ {
			if got := askRaw(t, proxy, s.Addr, header[:n]); got != "" {
				t.Errorf("%q: %q", header[:n], got)
			}
		}
	}
	for _, client := range []string{"0.0.0.0", "224.0.0.1"} {
		if got := askRaw(t, proxy, s.Addr, strings.Replace(clientHeader, "192.0.2.7", client, 1)+after); got != "" {
			t.Errorf("client %s: %q", client, got)
		}
	}
	// Nobody behind the proxy pays for any of that; who guesses there, pays alone.
	other := strings.Replace(clientHeader, "192.0.2.7", "192.0.2.8", 1)
	for range 2 {
		if got := askRaw(t, proxy, s.Addr, clientHeader+string(lab.Request{User: u.Name, Password: "x"}.Bytes())); got != loginIncorrect {
			t.Errorf("a wrong password: %q", got)
		}
	}
	in := string(request(u, "echo in").Bytes())
	if got := askRaw(t, proxy, s.Addr, clientHeader+in); got != tooManyFailed {
		t.Errorf("who guessed: %q", got)
	}
	if got := askRaw(t, proxy, s.Addr, other+in); got != "\x00in\n" {
		t.Errorf("another behind the proxy: %q", got)
	}
}

func TestAHeaderByteByByteEndsAtTheGraceTime(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	const proxy = "192.0.2.93"
	s := serve(t, lab.Handler{Settings: "grace = 2\nproxy_from = [\"" + proxy + "\"]\n", Address: "192.0.2.1"})
	c := from(t, proxy, s.Addr)
	began := time.Now()
	go func() {
		for _, b := range []byte(clientHeader) {
			c.Write([]byte{b})
			time.Sleep(100 * time.Millisecond)
		}
	}()
	if b, err := io.ReadAll(c); len(b) > 0 && err == nil {
		t.Errorf("answered %q", b)
	}
	if took := time.Since(began); took < 1900*time.Millisecond || took > 10*time.Second {
		t.Errorf("ended after %v", took)
	}
	s.Log.Wait(t, "grace time over: read PROXY header")
}
