package rexec_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rexecd/pkg/rexec"
)

func TestIPv6AndNames(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x00")
		p.out(p.primary.LocalAddr().(*net.TCPAddr).IP.String())
		p.errs("err")
	})
	client.Host = "localhost" // ::1 may be among its addresses; nothing listens there
	run(t, client, "x", nil).is(t, "127.0.0.1", "err")
	client.Network = "tcp4"
	run(t, client, "x", nil).is(t, "127.0.0.1", "err")

	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatalf("no IPv6 on loopback: %v", err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p := &peer{t: t, primary: conn.(*net.TCPConn)}
			p.standard().out("\x00six")
			p.errs("err")
			p.end()
		}
	}()
	for _, host := range []string{"::1", "[::1]"} {
		six := &rexec.Client{Host: host, Port: listener.Addr().(*net.TCPAddr).Port, Timeout: patience}
		run(t, six, "x", nil).is(t, "six", "err")
		six.Network = "tcp4"
		if got := run(t, six, "x", nil); got.err == nil {
			t.Error("an IPv6 address was used for tcp4")
		}
	}
}

// A super-server that restarts refuses for a moment.
func TestRefusedConnectionIsRetriedFiveTimes(t *testing.T) {
	// Nobody else's: not of the ports that the kernel gives out.
	host := net.IPv4(127, 42, byte(os.Getpid()>>8), byte(os.Getpid()))
	port := 11512
	var mu sync.Mutex
	var pauses []string
	client := &rexec.Client{Host: host.String(), Port: port, Timeout: patience, Stderr: rexec.StderrNo}
	client.Trace = func(step string) {
		if strings.HasPrefix(step, "connection refused") {
			mu.Lock()
			pauses = append(pauses, strings.Fields(step)[5])
			mu.Unlock()
		}
	}
	got := run(t, client, "x", nil)
	var dial *rexec.DialError
	if !errors.As(got.err, &dial) || dial.Stderr || !errors.Is(got.err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want a DialError with ECONNREFUSED", got.err)
	}
	if want := []string{"100ms", "200ms", "400ms", "800ms", "1.6s"}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
	client.Trace = func(step string) { // the server comes back at the third try
		if strings.Contains(step, "(3 of 5)") {
			listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: host, Port: port})
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				defer listener.Close()
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				p := &peer{t: t, primary: conn.(*net.TCPConn)}
				p.standard().out("\x00back")
				p.end()
			}()
		}
	}
	run(t, client, "x", nil).is(t, "back", "")
}

func TestRetriesEndWithTheTimeout(t *testing.T) {
	client := &rexec.Client{Host: "127.0.0.1", Port: freePort(t), Timeout: 200 * time.Millisecond}
	begin := time.Now()
	got := run(t, client, "x", nil)
	var dial *rexec.DialError
	if !errors.As(got.err, &dial) || time.Since(begin) > patience/2 {
		t.Errorf("error %v after %v", got.err, time.Since(begin))
	}
}

func freePort(t *testing.T) int {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestUnknownHostIsADialError(t *testing.T) {
	client := &rexec.Client{Host: "no such host", Timeout: patience}
	var dial *rexec.DialError
	if got := run(t, client, "x", nil); !errors.As(got.err, &dial) {
		t.Errorf("error %v, want a DialError", got.err)
	}
}

func TestStderrPortsOfAFirewall(t *testing.T) {
	taken, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().(*net.TCPAddr).Port
	ports := make(chan int, 1)
	client := serve(t, func(p *peer) {
		p.standard().out("\x00")
		ports <- p.port
	})
	client.StderrPorts = rexec.PortRange{First: busy, Last: busy + 20}
	if busy > 65000 {
		client.StderrPorts.Last = 65535
	}
	run(t, client, "x", nil).is(t, "", "")
	if port := <-ports; port <= busy || port > client.StderrPorts.Last {
		t.Errorf("port %d, want one of %v", port, client.StderrPorts)
	}
	client.StderrPorts = rexec.PortRange{First: busy, Last: busy}
	var dial *rexec.DialError
	if got := run(t, client, "x", nil); !errors.As(got.err, &dial) || !dial.Stderr {
		t.Errorf("all ports taken: error %v, want a DialError about stderr", got.err)
	}
}

// The trace is for a person to show around.
func TestTraceNeverHasThePassword(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x00")
		io.Copy(p.primary, p.primary)
	})
	client.Password = "d0ntT3ll"
	var mu sync.Mutex
	var steps []string
	client.Trace = func(step string) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, step)
	}
	session := client.Command(context.Background(), "cat")
	session.Stdin = strings.NewReader("data")
	if _, err := session.Output(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	all := strings.Join(steps, "\n")
	if strings.Contains(all, client.Password) {
		t.Errorf("the password is in the trace:\n%s", all)
	}
	for _, step := range []string{"connecting to", "connected", "listening for stderr", "stderr connection from", "sending user", "status byte 0", "end of output"} {
		if !strings.Contains(all, step) {
			t.Errorf("no step %q in the trace:\n%s", step, all)
		}
	}
}
