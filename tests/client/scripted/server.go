//go:build unix

// Package scripted plays the rexec servers of other systems on loopback, so
// that the client can be tried against each one's ways.
package scripted

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A Server speaks the protocol as one system does, and runs commands by the
// shell of whoever runs the tests. Everybody's password is "pw"; guest needs
// none.
type Server struct {
	listener *net.TCPListener
	way      way
	running  sync.WaitGroup

	mu   sync.Mutex
	told []string // user, password, command and whether there is a stderr port, of each request
}

// A way is what a server does in another way than the protocol says.
type way struct {
	mute     bool   // takes the connection and says nothing
	garbage  bool   // is something else
	noStderr bool   // knows no stderr connection
	late     bool   // connects for stderr after the request
	blocked  bool   // its connection for stderr never arrives
	status   string // "stderr", "none"; "" = on the primary connection
	refusal  string // its words; "" = a silent end of file
	noHome   bool   // refuses after the status byte
}

const bsd = "\x01Login incorrect.\n"

// ways of the systems of section 7 of the protocol, by the names that tests
// use.
var ways = map[string]way{
	"standard": {refusal: bsd},
	"mute":     {mute: true},
	"garbage":  {garbage: true},
	"firewall": {refusal: bsd, blocked: true},
	"silent":   {},                                                            // netkit, when PAM refuses
	"nohome":   {refusal: bsd, noHome: true},                                  // netkit, FreeBSD, illumos
	"gnu":      {refusal: bsd, status: "stderr"},                              // inetutils since 1.9.2
	"late":     {refusal: bsd, late: true},                                    // OpenBSD, netkit 0.09
	"nostatus": {status: "none", noStderr: true},                              // NuttX
	"hpux":     {refusal: "\x01rexecd: Login incorrect.\n"},                   // HP-UX
	"aix":      {refusal: "\x01rexecd: 0826-604 The login is not correct.\n"}, // AIX
	"openvms":  {refusal: "\x01Login incorrect.\r\n\x00"},                     // OpenVMS
}

// Start listens on loopback and serves until Stop.
func Start(name string) (*Server, error) {
	way, ok := ways[name]
	if !ok {
		return nil, fmt.Errorf("no such server: %s", name)
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("listen as a server: %w", err)
	}
	s := &Server{listener: listener, way: way}
	s.running.Go(func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	})
	return s, nil
}

// Port is where the server listens.
func (s *Server) Port() string {
	return strconv.Itoa(s.listener.Addr().(*net.TCPAddr).Port)
}

// Stop stops listening.
func (s *Server) Stop() {
	s.listener.Close()
	s.running.Wait()
}

// Requests has a line for each request so far: `user "password" command true`,
// true if it had a stderr port.
func (s *Server) Requests() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.told, "")
}

func (s *Server) serve(conn *net.TCPConn) {
	defer conn.Close()
	port := 0
	if !s.way.mute {
		port, _ = strconv.Atoi(field(conn))
	}
	if s.way.mute || s.way.blocked && port != 0 {
		io.Copy(io.Discard, conn)
		return
	}
	var stderr *net.TCPConn
	if !s.way.late {
		stderr = s.connect(port)
	}
	user, password, command := field(conn), field(conn), field(conn)
	if s.way.late {
		stderr = s.connect(port)
	}
	if stderr != nil {
		defer stderr.Close()
	}
	s.mu.Lock()
	s.told = append(s.told, fmt.Sprintf("%s %q %s %v\n", user, password, command, port != 0))
	s.mu.Unlock()
	switch {
	case s.way.garbage:
		io.WriteString(conn, "220 \x1b[31mftp\x1b[0m ready\r\n")
	case s.way.status != "none" && password != "pw" && user != "guest":
		if s.way.status == "stderr" && stderr != nil {
			conn = stderr
		}
		io.WriteString(conn, s.way.refusal)
	case s.way.noHome:
		io.WriteString(conn, "\x00\x01No remote directory.\n")
	default:
		s.run(conn, stderr, command)
	}
}

func (s *Server) connect(port int) *net.TCPConn {
	if port == 0 || s.way.noStderr {
		return nil
	}
	conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return nil
	}
	return conn
}

// run gives the connections to the shell, as real servers do.
func (s *Server) run(conn, stderr *net.TCPConn, command string) {
	switch {
	case s.way.status == "none":
	case s.way.status == "stderr" && stderr != nil:
		stderr.Write([]byte{0})
	default:
		conn.Write([]byte{0})
	}
	primary, err := conn.File()
	if err != nil {
		return
	}
	defer primary.Close()
	cmd := exec.Command("/bin/sh", "-c", command)
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
		go relaySignals(stderr, cmd.Process.Pid)
	}
	cmd.Wait()
	if stderr != nil {
		stderr.CloseRead() // wakes relaySignals: the shell has made the socket a blocking one
	}
}

func relaySignals(from io.Reader, group int) {
	var number [1]byte
	for {
		if _, err := io.ReadFull(from, number[:]); err != nil {
			return
		}
		syscall.Kill(-group, syscall.Signal(number[0]))
	}
}

// field reads byte by byte up to a NUL.
func field(conn io.Reader) string {
	var text []byte
	var b [1]byte
	for {
		if _, err := io.ReadFull(conn, b[:]); err != nil || b[0] == 0 {
			return string(text)
		}
		text = append(text, b[0])
	}
}
