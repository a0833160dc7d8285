//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A testServer speaks the protocol on loopback and runs commands by the shell
// of whoever runs the tests. It is what the command line is tested with; the
// real servers have their turn in tests/client.
type testServer struct {
	listener *net.TCPListener
	running  sync.WaitGroup

	mu   sync.Mutex
	told []string // "user password command stderr|single", one for each request
}

// serverModes change one thing about the server.
var serverModes = map[string]bool{
	"standard": true, // as the protocol says
	"mute":     true, // takes the connection and says nothing
	"silent":   true, // hangs up in place of a refusal, as netkit
	"hpux":     true, // prefixes its refusals
	"nostatus": true, // has no status byte, as NuttX
	"late":     true, // connects for stderr after the request, as OpenBSD
	"firewall": true, // cannot connect for stderr
	"gnu":      true, // status byte on the stderr connection
	"nohome":   true, // refuses after the status byte
	"garbage":  true, // is something else
}

func startServer(mode string) (*testServer, error) {
	if !serverModes[mode] {
		return nil, fmt.Errorf("no such server: %s", mode)
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &testServer{listener: listener}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go s.serve(conn, mode)
		}
	}()
	return s, nil
}

func (s *testServer) port() string {
	return strconv.Itoa(s.listener.Addr().(*net.TCPAddr).Port)
}

func (s *testServer) stop() {
	s.listener.Close()
	s.running.Wait()
}

func (s *testServer) requests() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.told, "")
}

func (s *testServer) serve(conn *net.TCPConn, mode string) {
	defer conn.Close()
	if mode == "mute" {
		io.Copy(io.Discard, conn)
		return
	}
	port, _ := strconv.Atoi(readField(conn))
	var stderr *net.TCPConn
	connect := func() {
		if port != 0 {
			stderr, _ = net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		}
	}
	switch {
	case mode == "firewall" && port != 0:
		io.Copy(io.Discard, conn)
		return
	case mode != "late":
		connect()
	}
	user, password, command := readField(conn), readField(conn), readField(conn)
	if mode == "late" {
		connect()
	}
	if stderr != nil {
		defer stderr.Close()
	}
	s.mu.Lock()
	s.told = append(s.told, fmt.Sprintf("%s %q %s %v\n", user, password, command, port != 0))
	s.mu.Unlock()
	switch {
	case mode == "garbage":
		io.WriteString(conn, "220 \x1b[31mftp\x1b[0m ready\r\n")
	case mode == "silent" && password != "pw":
	case password != "pw" && !(user == "guest" && password == ""):
		io.WriteString(conn, "\x01"+map[string]string{"hpux": "rexecd: "}[mode]+"Login incorrect.\n")
	case mode == "nohome":
		io.WriteString(conn, "\x00\x01No remote directory.\n")
	default:
		runShell(conn, stderr, command, mode)
	}
}

// runShell gives the connections to the shell, as a real server does.
func runShell(conn, stderr *net.TCPConn, command, mode string) {
	switch {
	case mode == "nostatus":
	case mode == "gnu" && stderr != nil:
		stderr.Write([]byte{0})
	default:
		conn.Write([]byte{0})
	}
	primary, err := conn.File()
	if err != nil {
		return
	}
	defer primary.Close()
	cmd := exec.Command("sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = primary, primary, primary
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(cmd.Environ(), "SHELL=/bin/sh")
	if stderr != nil {
		second, err := stderr.File()
		if err != nil {
			return
		}
		defer second.Close()
		cmd.Stderr = second
	}
	if cmd.Start() != nil {
		return
	}
	if stderr != nil {
		go func() {
			var number [1]byte
			for {
				if _, err := io.ReadFull(stderr, number[:]); err != nil {
					return
				}
				syscall.Kill(-cmd.Process.Pid, syscall.Signal(number[0]))
			}
		}()
	}
	cmd.Wait()
	if stderr != nil {
		stderr.CloseRead() // wakes the reader of signals: the shell has made the socket a blocking one
	}
}

func readField(conn io.Reader) string {
	var field []byte
	var b [1]byte
	for {
		if _, err := io.ReadFull(conn, b[:]); err != nil || b[0] == 0 {
			return string(field)
		}
		field = append(field, b[0])
	}
}

// server is startServer for a test.
func server(t *testing.T, mode string) *testServer {
	t.Helper()
	s, err := startServer(mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}
