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
	from     string // where its connection for stderr comes from; "" = its own address
	first    string // what it says when it has read the port, and hangs up
	nuttx    bool   // see nuttx.go
	words    bool   // its refusal is a byte 1, with the words on the stderr connection
}

const (
	bsd   = "\x01Login incorrect.\n"
	wrong = "\x01Password incorrect.\n" // of a user that there is
)

// ways of the systems of section 7 of the protocol, by the names that tests
// use.
var ways = map[string]way{
	"standard": {refusal: bsd},
	"mute":     {mute: true},
	"garbage":  {garbage: true},
	"firewall": {refusal: bsd, blocked: true},
	"silent":   {},                                 // netkit, when PAM refuses
	"nohome":   {refusal: bsd, noHome: true},       // netkit, FreeBSD, illumos
	"gnu":      {refusal: wrong, status: "stderr"}, // inetutils since 1.9.2
	"4.4bsd":   {refusal: wrong},                   // NetBSD's too
	"late":     {refusal: bsd, late: true},         // OpenBSD, netkit 0.09
	"nostatus": {status: "none", noStderr: true},
	"nuttx":    {nuttx: true},
	"hpux":     {refusal: "\x01rexecd: Login incorrect.\n"},                   // HP-UX
	"aix":      {refusal: "\x01rexecd: 0826-604 The login is not correct.\n"}, // AIX
	"openvms":  {refusal: "\x01Login incorrect.\r\n\x00"},                     // OpenVMS
	"indy":     {refusal: "Login incorrect.\n", words: true},                  // Indy, iSphere
	"vip":      {refusal: bsd, from: "127.0.0.2"},                             // at a second address, or behind DNAT
	"ssh":      {first: "SSH-2.0-OpenSSH_9.2p1\r\n"},
	"http":     {first: "HTTP/1.1 400 Bad Request\r\n\r\n"},
	"busy":     {first: "\x01Try again.\n"},
	"locked":   {first: "\x01Too many failed logins, try again later.\n"},
	"crowded":  {first: "\x01Connection refused: too many failed or open logins, try again later.\n"},
	"lowport":  {first: "\x01stderr port 600 is not permitted\n"},
	"nostderr": {first: "\x01stderr connections are not permitted here\n"},
	"noroute":  {first: "\x01cannot connect to stderr port 40000: Connection timed out\n"},
	"denied":   {refusal: "\x01Permission denied.\n"},
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
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
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
	if s.way.nuttx {
		s.serveNuttX(conn)
		return
	}
	port := 0
	if !s.way.mute {
		port, _ = strconv.Atoi(field(conn))
	}
	if s.way.mute || s.way.blocked && port != 0 {
		io.Copy(io.Discard, conn)
		return
	}
	if s.way.first != "" {
		io.WriteString(conn, s.way.first)
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
		if s.way.words && stderr != nil {
			conn.Write([]byte{1})
		}
		if (s.way.status == "stderr" || s.way.words) && stderr != nil {
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
	var from *net.TCPAddr
	if s.way.from != "" {
		from = &net.TCPAddr{IP: net.ParseIP(s.way.from)}
	}
	conn, err := net.DialTCP("tcp", from, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
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
