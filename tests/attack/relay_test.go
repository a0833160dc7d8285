package attack

import (
	"bufio"
	"io"
	"math"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// relay passes connections on, from a given address: as stunnel does, it has the peer's end of
// the connection.
func relay(t testing.TB, source, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: lab.Patience}
				s, err := d.Dial("tcp", to)
				if err != nil {
					return
				}
				defer s.Close()
				go io.Copy(s, c)
				io.Copy(c, s)
			}()
		}
	}()
	return l.Addr().String()
}

// foreign is a port on which another process listens.
func foreign(t testing.TB, address string) string {
	t.Helper()
	cmd := exec.Command("python3", "-c", `
import socket, sys
l = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
l.bind((sys.argv[1], 0)); l.listen()
print(l.getsockname()[1], flush=True); sys.stdin.read()`, address)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestARelayOnThisHostLetsNobodyScanItsPorts(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	for address, server := range map[string]string{
		"127.0.0.1": "127.0.0.1", "::1": "::1", "192.0.2.77": "192.0.2.77", "2001:db8::1": "2001:db8::1",
		"10.9.0.2": "10.9.0.1", // a packet to it comes from 10.9.0.1
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			s := serve(t, lab.Handler{Address: server})
			through := relay(t, address, s.Addr)
			open := foreign(t, address)
			l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
			if err != nil {
				t.Fatal(err)
			}
			closed := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
			l.Close()
			answers, times := map[string]string{}, map[string][]time.Duration{}
			for range 15 {
				for _, port := range []string{open, closed} {
					began := time.Now()
					a := lab.AskRaw(t, through, []byte(port+"\x00"))
					times[port] = append(times[port], time.Since(began))
					answers[port] = strings.ReplaceAll(string(a.All), port, "PORT")
				}
			}
			if answers[open] != answers[closed] || !strings.Contains(answers[open], "Connection refused") {
				t.Errorf("an open port: %q; a closed one: %q", answers[open], answers[closed])
			}
			z := mannWhitney(times[open], times[closed]) // at most 4.67; what the machine adds falls on both
			slices.Sort(times[open])
			slices.Sort(times[closed])
			if a, b := times[open][7], times[closed][7]; math.Abs(z) > 3.5 && (a > 2*b || b > 2*a) {
				t.Errorf("an open port: %v; a closed one: %v; z = %.1f", a, b, z)
			} else {
				t.Logf("medians: %v for an open port, %v for a closed one", a, b)
			}
			// A client of this host's with its own listener is served as ever.
			u := newUser(t, lab.User{})
			if a := lab.Open(t, s.Addr, u.Name, u.Password, "echo out; echo err >&2").Rest(t); string(a.All) != "\x00out\n" || string(a.Stderr) != "err\n" {
				t.Errorf("%v", a)
			}
		})
	}
}
