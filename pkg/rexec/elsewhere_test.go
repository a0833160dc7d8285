package rexec_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/rexec"
)

// connectFrom connects for stderr from another address than the server's.
func (p *peer) connectFrom(address string) *net.TCPConn {
	to := net.TCPAddr{IP: p.primary.RemoteAddr().(*net.TCPAddr).IP, Port: p.port}
	conn, err := net.DialTCP("tcp", &net.TCPAddr{IP: net.ParseIP(address)}, &to)
	if err != nil {
		p.t.Errorf("connect from %s: %v", address, err)
	}
	return conn
}

func elsewhere(p *peer) {
	p.readPort()
	p.stderr = p.connectFrom("127.0.0.2")
	p.readRequest()
	p.out("\x00out")
	p.errs("err")
}

func TestStderrFromAnotherAddressIsNamedSoon(t *testing.T) {
	client := serve(t, elsewhere)
	begin := time.Now()
	got := run(t, client, "x", nil)
	var dial *rexec.DialError
	if !errors.As(got.err, &dial) || !slices.Equal(dial.Strangers, []netip.Addr{netip.MustParseAddr("127.0.0.2")}) {
		t.Errorf("error %v, want a DialError with 127.0.0.2", got.err)
	}
	if took := time.Since(begin); took > rexec.DefaultStderrTimeout/2 {
		t.Errorf("took %v", took)
	}
}

func TestStderrFromLetsAnotherAddressIn(t *testing.T) {
	client := serve(t, elsewhere)
	for network, ok := range map[string]bool{"127.0.0.2/32": true, "127.0.0.0/24": true, "0.0.0.0/0": true, "192.0.2.0/24": false, "::/0": false} {
		client.StderrFrom = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix(network)}
		if got := run(t, client, "x", nil); ok != (got.err == nil && got.errs == "err") {
			t.Errorf("%s: stderr %q, %v", network, got.errs, got.err)
		}
	}
}

// Strangers, however many, neither take the place of a server that comes a
// little later nor end the session.
func TestStrangersCannotAbortASession(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.readPort()
		for range 50 {
			stranger := p.connectFrom("127.0.0.9")
			stranger.SetReadDeadline(time.Now().Add(patience))
			stranger.Read(make([]byte, 1)) // until it is hung up on
			stranger.Close()
		}
		time.Sleep(1500 * time.Millisecond) // a packet was lost
		p.connect()
		p.readRequest()
		p.out("\x00out")
		p.errs("err")
	})
	run(t, client, "x", nil).is(t, "out", "err")
}

// What the server says is what counts, whoever else connected.
func TestARefusalAfterAStrangerIsShown(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.readPort()
		p.connectFrom("127.0.0.9").Close()
		p.clientHas("connection from")
		p.out("\x01Permission denied.\n")
	})
	if got := run(t, client, "x", nil); describe(got.err) != "refused: Permission denied." {
		t.Errorf("error %v", got.err)
	}
}

// GNU's status byte overtaken by output that begins with a NUL.
func TestStatusOnStderrQuirk(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x00\x01out")
		p.errs("\x00err")
	})
	client.Quirks.StatusOnStderr = true
	for range 100 {
		run(t, client, "x", nil).is(t, "\x00\x01out", "err")
	}
	client = serve(t, func(p *peer) { p.standard().errs("\x01Password incorrect.\n") })
	client.Quirks.StatusOnStderr = true
	if got := run(t, client, "x", nil); describe(got.err) != "refused: Password incorrect." {
		t.Errorf("error %v", got.err)
	}
	client = serve(t, func(p *peer) { p.standard() })
	client.Quirks.StatusOnStderr = true
	var refused *rexec.RefusedError
	if got := run(t, client, "x", nil); !errors.As(got.err, &refused) {
		t.Errorf("error %v", got.err)
	}
	client = serve(t, func(p *peer) { p.standard().out("\x00out") })
	client.Quirks.StatusOnStderr, client.Stderr = true, rexec.StderrNo
	run(t, client, "x", nil).is(t, "out", "")
}

// Indy and iSphere: byte 1 on one connection, the words on the other.
func TestWordsOfARefusalOnTheStderrConnection(t *testing.T) {
	for _, end := range []bool{true, false} {
		for _, wordsFirst := range []bool{true, false} {
			client := serve(t, func(p *peer) {
				p.standard()
				if wordsFirst {
					p.errs("Login incorrect.\n")
				}
				p.out("\x01")
				if !wordsFirst {
					p.clientHas("sending user")
					p.errs("Login incorrect.\n")
				}
				if !end {
					p.gone()
				}
			})
			if got := run(t, client, "x", nil); describe(got.err) != "refused: Login incorrect." || got.errs != "" {
				t.Errorf("words first %v, end %v: error %v, stderr %q", wordsFirst, end, got.err, got.errs)
			}
		}
	}
}

// A server that takes a half-close for the end of everything.
func TestKeepOpenLeavesTheSendingSideOpen(t *testing.T) {
	for _, keep := range []bool{true, false} {
		closed := make(chan bool, 1)
		client := serve(t, func(p *peer) {
			p.standard().out("\x00")
			io.ReadFull(p.primary, make([]byte, len("input")))
			p.primary.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			_, err := p.primary.Read(make([]byte, 1))
			closed <- err == io.EOF
			p.out("out")
		})
		session := client.Command(t.Context(), "x")
		session.Stdin, session.KeepOpen = strings.NewReader("input"), keep
		out, err := session.Output()
		if got := <-closed; got == keep || string(out) != "out" || err != nil {
			t.Errorf("KeepOpen %v: half-closed %v, output %q, %v", keep, got, out, err)
		}
	}
}

func TestBannersOfOtherProtocols(t *testing.T) {
	for banner, other := range map[string]bool{"SSH-2.0-x\r\n": true, "HTTP/1.1 400 Bad\r\n": true, "220 ftp\r\n": true, "hello\n": false} {
		for name, mode := range modes {
			client := serve(t, func(p *peer) { p.out(banner); p.gone() })
			client.Stderr = mode
			var began *rexec.BannerError
			if got := run(t, client, "x", nil); !errors.As(got.err, &began) ||
				began.OtherProtocol() != other || began.Line != strings.TrimSpace(banner) {
				t.Errorf("%q, %s: error %v", banner, name, got.err)
			}
		}
	}
}

func TestCausesAreSaidOnce(t *testing.T) {
	client := &rexec.Client{Host: "127.0.0.1", Port: freePort(t), Timeout: patience}
	got := run(t, client, "x", nil)
	if text := got.err.Error(); strings.Count(text, "127.0.0.1") != 1 || rexec.Cause(got.err) != "connection refused" {
		t.Errorf("%q, cause %q", text, rexec.Cause(got.err))
	}
}
