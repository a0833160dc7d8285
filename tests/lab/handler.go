package lab

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Descriptors says where a super-server puts the connection.
type Descriptors int

const (
	InOutErr  Descriptors = iota // 0, 1 and 2, as inetd does
	InOut                        // 0 and 1; 2 is the super-server's own, as ucspi-tcp's tcpserver does
	In                           // 0; 1 and 2 go to a log, as StandardInput=socket
	ListenFDs                    // 3, with LISTEN_FDS and LISTEN_PID, as systemd does by default
)

// Handler is a server program started for each connection, and how. The super-server is the test
// itself, so that it can see the process; the real ones have tests of their own.
type Handler struct {
	Room
	Path     string
	Args     []string
	Env      []string // "" = a super-server's usual few
	Settings string   // content of a -config file
	Address  string   // "" = 127.0.0.1
	Port     int      // 0 = any that is free
	On       Descriptors
	Before   []string // a command that is to exec the server: {"setpriv", …}
}

// Listening is a Handler that listens.
type Listening struct {
	Addr string // host:port
	Log  *Log
	mu   sync.Mutex
	all  []*Process
}

// Process is one started handler.
type Process struct {
	Pid    int
	Exited chan struct{} // closed at the end; then State is set
	State  *os.ProcessState
	out    bytes.Buffer
}

// Output returns what the process wrote to the descriptors 1 and 2 that were not the connection,
// after its end.
func (p *Process) Output() string { <-p.Exited; return p.out.String() }

// Start listens, and handles connections until the test ends.
func (h Handler) Start(t testing.TB) *Listening {
	t.Helper()
	address := h.Address
	if address == "" {
		address = "127.0.0.1"
	}
	listener, err := listen(net.ParseIP(address), h.Port)
	if err != nil {
		t.Fatalf("listen on %s: %v", address, err)
	}
	dir, log, err := h.open()
	if err != nil {
		t.Fatal(err)
	}
	args := h.Args
	if h.Settings != "" {
		if !strings.Contains(h.Settings, "[penalties]") {
			h.Settings += "\n" + noPenalties
		}
		if err := os.WriteFile(dir+"/rexecd.toml", []byte(h.Settings), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"-config", dir + "/rexecd.toml"}, args...)
	}
	sa, err := syscall.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	s := &Listening{Log: log, Addr: net.JoinHostPort(address, strconv.Itoa(portOf(sa)))}
	ready := make(chan error)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := h.enter(dir)
		ready <- err
		if err == nil {
			s.serve(t, listener, h, args)
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Shutdown(listener, syscall.SHUT_RDWR)
		<-done
		syscall.Close(listener)
		for _, p := range s.Processes() {
			syscall.Kill(p.Pid, syscall.SIGKILL) // none in a test that waited
			<-p.Exited
		}
	})
	return s
}

// listen returns a blocking listening descriptor: the sockets it accepts must be as a C
// super-server's.
func listen(ip net.IP, port int) (int, error) {
	family, sa := syscall.AF_INET6, syscall.Sockaddr(nil)
	if ip4 := ip.To4(); ip4 != nil {
		family, sa = syscall.AF_INET, &syscall.SockaddrInet4{Addr: [4]byte(ip4), Port: port}
	} else {
		sa = &syscall.SockaddrInet6{Addr: [16]byte(ip), Port: port}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := syscall.Bind(fd, sa); err != nil {
		return 0, err
	}
	return fd, syscall.Listen(fd, 511)
}

func portOf(sa syscall.Sockaddr) int {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return sa.Port
	case *syscall.SockaddrInet6:
		return sa.Port
	}
	return 0
}

func (s *Listening) serve(t testing.TB, listener int, h Handler, args []string) {
	for {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC)
		if err != nil {
			return // shut down by the clean-up
		}
		conn := os.NewFile(uintptr(fd), "connection")
		err = s.start(conn, h, args)
		conn.Close()
		if err != nil {
			t.Errorf("start handler: %v", err)
		}
	}
}

func (s *Listening) start(conn *os.File, h Handler, args []string) error {
	p := &Process{Exited: make(chan struct{})}
	argv := append(append([]string(nil), h.Before...), append([]string{h.Path}, args...)...)
	env := h.Env
	if env == nil {
		env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	}
	if h.On == ListenFDs {
		argv = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, argv...)
		env = append(env, "LISTEN_FDS=1", "LISTEN_FDNAMES=connection")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Dir = "/"
	switch h.On {
	case InOutErr:
		cmd.Stdin, cmd.Stdout, cmd.Stderr = conn, conn, conn
	case InOut:
		cmd.Stdin, cmd.Stdout, cmd.Stderr = conn, conn, &p.out
	case In:
		cmd.Stdin, cmd.Stdout, cmd.Stderr = conn, &p.out, &p.out
	case ListenFDs:
		cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &p.out, &p.out, []*os.File{conn}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.Pid = cmd.Process.Pid
	s.mu.Lock()
	s.all = append(s.all, p)
	s.mu.Unlock()
	go func() {
		cmd.Wait()
		p.State = cmd.ProcessState
		close(p.Exited)
	}()
	return nil
}

// Processes returns the handlers started so far, in order.
func (s *Listening) Processes() []*Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Process(nil), s.all...)
}

// Process waits for the n-th handler, counted from 0.
func (s *Listening) Process(t testing.TB, n int) *Process {
	t.Helper()
	Eventually(t, "handler "+strconv.Itoa(n), func() bool { return len(s.Processes()) > n })
	return s.Processes()[n]
}

// Wait waits for the handler's end and returns its state.
func (p *Process) Wait(t testing.TB) *os.ProcessState {
	t.Helper()
	Eventually(t, "the end of the handler, process "+strconv.Itoa(p.Pid), func() bool {
		select {
		case <-p.Exited:
			return true
		default:
			return false
		}
	})
	return p.State
}

// Serve starts the server under test. When the test ends, no password of NewUser's may have been
// logged.
func Serve(t testing.TB, h Handler) *Listening {
	t.Helper()
	if h.Path == "" {
		h.Path = Server(t)
	}
	s := h.Start(t)
	t.Cleanup(func() {
		if strings.Contains(s.Log.Raw(), "Secret of") {
			t.Errorf("a password is in the log: %q", s.Log.Raw())
		}
	})
	return s
}
