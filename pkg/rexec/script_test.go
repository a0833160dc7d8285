package rexec_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/pkg/rexec"
)

// patience bounds what must happen, for a busy machine.
const patience = 30 * time.Second

// A peer is the server's end of one session, played by a test.
type peer struct {
	t       *testing.T
	primary *net.TCPConn
	stderr  *net.TCPConn // after connect
	port    int
	user    string
	pass    string
	command string
	steps   <-chan string // what the client traces
}

// serve plays a server on loopback and returns a client that uses it. Each
// connection gets script; both connections are closed when it returns.
func serve(t *testing.T, script func(*peer)) *rexec.Client {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	steps := make(chan string, 1000)
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Add(1)
	go func() {
		defer running.Done()
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			running.Add(1)
			go func() {
				defer running.Done()
				p := &peer{t: t, primary: conn, steps: steps}
				script(p)
				if p.stderr != nil {
					p.stderr.Close()
				}
				conn.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return &rexec.Client{
		Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port,
		User: "alice", Password: "secret", Timeout: patience,
		Trace: func(step string) {
			select {
			case steps <- step:
			default:
			}
		},
	}
}

// standard reads the request as every server does, connecting for stderr
// after the port.
func (p *peer) standard() *peer {
	p.readPort()
	p.connect()
	p.readRequest()
	return p
}

func (p *peer) readPort() { p.port, _ = strconv.Atoi(p.field()) }

func (p *peer) connect() {
	if p.port == 0 {
		return
	}
	from := net.TCPAddr{IP: p.primary.LocalAddr().(*net.TCPAddr).IP}
	to := net.TCPAddr{IP: p.primary.RemoteAddr().(*net.TCPAddr).IP, Port: p.port}
	conn, err := net.DialTCP("tcp", &from, &to)
	if err != nil {
		p.t.Errorf("connect for stderr: %v", err)
		return
	}
	p.stderr = conn
}

func (p *peer) readRequest() { p.user, p.pass, p.command = p.field(), p.field(), p.field() }

// field reads byte by byte up to a NUL.
func (p *peer) field() string {
	var field []byte
	var b [1]byte
	for {
		if _, err := io.ReadFull(p.primary, b[:]); err != nil || b[0] == 0 {
			return string(field)
		}
		field = append(field, b[0])
	}
}

func (p *peer) out(text string) { io.WriteString(p.primary, text) }

// errs writes to the command's standard error.
func (p *peer) errs(text string) {
	if p.stderr == nil {
		p.out(text)
		return
	}
	io.WriteString(p.stderr, text)
}

// end closes both connections.
func (p *peer) end() {
	if p.stderr != nil {
		p.stderr.Close()
	}
	p.primary.Close()
}

// gone waits until the client has closed or half-closed.
func (p *peer) gone() { io.Copy(io.Discard, p.primary) }

// clientHas waits until the client has traced a step that begins so. That the
// client sees one thing before the next is sent is how it is with a real
// server: between its status byte and a command's first output lie a fork and
// an exec.
func (p *peer) clientHas(step string) {
	timeout := time.After(patience)
	for {
		select {
		case got := <-p.steps:
			if strings.HasPrefix(got, step) {
				return
			}
		case <-timeout:
			p.t.Errorf("the client did not come to %q", step)
			return
		}
	}
}

// A result is what came out of a session.
type result struct {
	out, errs string
	err       error
}

// run runs a command with a time limit on the whole.
func run(t *testing.T, client *rexec.Client, command string, stdin io.Reader) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var out, errs bytes.Buffer
	session := client.Command(ctx, command)
	session.Stdin, session.Stdout, session.Stderr = stdin, &out, &errs
	err := session.Run()
	return result{out.String(), errs.String(), err}
}

func (r result) is(t *testing.T, out, errs string) {
	t.Helper()
	if r.err != nil || r.out != out || r.errs != errs {
		t.Errorf("output %.200q, stderr %.200q, error %v; want %.200q, %.200q, nil", r.out, r.errs, r.err, out, errs)
	}
}

func describe(err error) string {
	if err == nil {
		return "nil"
	}
	return strings.TrimSpace(err.Error())
}
