package lab

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"
)

// ServeTunnel starts the server under test with TLS, and something in front of it that speaks TLS
// for clients in clear text, on both connections: Addr is where.
func ServeTunnel(t testing.TB, h Handler) *Listening {
	t.Helper()
	s, c := ServeTLS(t, h)
	tunnel := &tunnel{to: s.Addr, config: c.Authority(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go tunnel.serve(conn.(*net.TCPConn))
		}
	}()
	s.Addr = l.Addr().String()
	return s
}

// Apart has the names of accounts and rooms begin elsewhere: a second run of a test binary in one
// host makes its own.
func Apart() {
	accountNames.Store(100_000)
	rooms.Store(100_000)
}

type tunnel struct {
	to     string
	config *tls.Config
}

// Authority is the configuration of a client that believes the certificates' authority.
func (c *Certificates) Authority(t testing.TB) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(Read(c.Dir + "/ca.crt"))) {
		t.Fatal("no authority")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// Announced has the end of a connection be an error unless TLS has announced it.
type Announced struct{ *net.TCPConn }

var errCut = errors.New("not announced")

func (a Announced) Read(p []byte) (int, error) {
	n, err := a.TCPConn.Read(p)
	if err == io.EOF {
		err = errCut
	}
	return n, err
}

// serve has a client's port be one of the tunnel's own, and passes all else on.
func (u *tunnel) serve(client *net.TCPConn) {
	defer client.Close()
	raw, err := net.Dial("tcp", u.to)
	if err != nil {
		client.SetLinger(0)
		return
	}
	defer raw.Close()
	outer := raw.(*net.TCPConn)
	server := tls.Client(Announced{outer}, u.config)
	if server.Handshake() != nil {
		client.SetLinger(0)
		return
	}
	first := make([]byte, 4096)
	n, err := 0, error(nil)
	for n < len(first) && err == nil && bytes.IndexByte(first[:n], 0) < 0 {
		var more int
		more, err = client.Read(first[n:])
		n += more
	}
	sent := first[:n]
	field, rest, whole := bytes.Cut(sent, []byte{0})
	port, _ := strconv.Atoi(string(field))
	if whole && port >= 1024 && port <= 65535 && strconv.Itoa(port) == string(field) {
		own, wait := u.listen(outer, client, port)
		if wait == nil {
			return
		}
		defer wait()
		sent = append([]byte(strconv.Itoa(own)+"\x00"), rest...)
	}
	if len(sent) > 0 {
		if _, err := server.Write(sent); err != nil {
			client.SetLinger(0)
			return
		}
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		pass(client, server, client, outer)
	}()
	pass(server, client, outer, client)
	<-back
}

// listen waits for the server's stderr connection in the place of the client, and connects to it.
func (u *tunnel) listen(outer, client *net.TCPConn, port int) (own int, wait func()) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: outer.LocalAddr().(*net.TCPAddr).IP})
	if err != nil {
		return 0, nil
	}
	l.SetDeadline(time.Now().Add(20 * time.Second))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer l.Close()
		from, err := l.AcceptTCP()
		if err != nil {
			return
		}
		defer from.Close()
		at := &net.TCPAddr{IP: client.RemoteAddr().(*net.TCPAddr).IP, Port: port}
		there, err := net.DialTCP("tcp", nil, at)
		if err != nil {
			return
		}
		defer there.Close()
		server, back := tls.Client(Announced{from}, u.config), make(chan struct{})
		go func() {
			defer close(back)
			pass(there, server, there, from)
		}()
		pass(server, there, from, there)
		<-back
	}()
	return l.Addr().(*net.TCPAddr).Port, func() { l.Close(); <-done }
}

// pass copies one direction to its end. What is no end in order resets both connections.
func pass(dst interface {
	io.Writer
	CloseWrite() error
}, src io.Reader, sockets ...*net.TCPConn) {
	_, err := io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
	if err == nil {
		_ = dst.CloseWrite()
		return
	}
	for _, s := range sockets {
		s.SetLinger(0)
		s.Close()
	}
}
