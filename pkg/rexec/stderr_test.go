package rexec_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"rexecd/pkg/rexec"
)

func TestSilentStderrPortIsReportedOrDoneWithout(t *testing.T) {
	script := func(p *peer) {
		p.readPort()
		if p.port != 0 { // a firewall swallows the connection
			p.gone()
			return
		}
		p.readRequest()
		p.out("\x00out")
		p.errs("err")
	}
	client := serve(t, script)
	client.StderrTimeout = 50 * time.Millisecond
	got := run(t, client, "x", nil)
	var dial *rexec.DialError
	if !errors.As(got.err, &dial) || !dial.Stderr {
		t.Errorf("error %v, want a DialError about stderr", got.err)
	}
	client.Stderr = rexec.StderrAuto
	run(t, client, "x", nil).is(t, "outerr", "")
}

// The request must not have been sent when the client falls back, or the
// command might run twice.
func TestNothingIsAskedForBeforeStderrIsThere(t *testing.T) {
	sent := make(chan string, 2)
	client := serve(t, func(p *peer) {
		p.readPort()
		p.readRequest()
		sent <- p.user + p.pass + p.command
		if p.port == 0 {
			p.out("\x00")
		}
	})
	client.Stderr, client.StderrTimeout = rexec.StderrAuto, 50*time.Millisecond
	run(t, client, "x", nil).is(t, "", "")
	first, second := <-sent, <-sent
	if first+second != "alicesecretx" {
		t.Errorf("the server was told %q and %q", first, second)
	}
}

func TestServerThatCannotReachTheStderrPort(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.readPort()
		p.out("\x01connect to port: no route to host\n")
	})
	got := run(t, client, "x", nil)
	var dial *rexec.DialError
	var refused *rexec.RefusedError
	if !errors.As(got.err, &dial) || !dial.Stderr || !errors.As(got.err, &refused) {
		t.Errorf("error %v, want a DialError about stderr with the refusal in it", got.err)
	}
}

// Only the server may be the command's standard error.
func TestStderrConnectionFromElsewhereIsClosed(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.readPort()
		to := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.port}
		stranger, err := net.DialTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, &to)
		if err != nil {
			p.t.Error(err)
			return
		}
		defer stranger.Close()
		io.WriteString(stranger, "forged")
		stranger.SetReadDeadline(time.Now().Add(patience))
		if _, err := stranger.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			p.t.Errorf("the stranger was not hung up on: %v", err)
		}
		p.connect()
		p.readRequest()
		p.out("\x00out")
		p.errs("err")
	})
	run(t, client, "x", nil).is(t, "out", "err")
}

// The time limit is one for both tries.
func TestAutoBeginsAgainWithinTheTimeLimit(t *testing.T) {
	silent := make(chan bool, 2) // wanted stderr
	client := serve(t, func(p *peer) {
		p.readPort()
		silent <- p.port != 0
		p.gone()
	})
	client.Stderr, client.Timeout = rexec.StderrAuto, 4*time.Second
	began := time.Now()
	got := run(t, client, "x", nil)
	if took := time.Since(began); took > client.Timeout*3/2 || got.err == nil {
		t.Errorf("%v after %v; want an error after %v", got.err, took, client.Timeout)
	}
	if first, second := <-silent, <-silent; !first || second {
		t.Errorf("stderr connections asked for: %v, %v", first, second)
	}
}

func TestYesBeforeAnythingWasAskedIsNoYes(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.readPort()
		p.out("\x00")
		p.gone()
	})
	var protocol *rexec.ProtocolError
	if got := run(t, client, "x", strings.NewReader("input")); !errors.As(got.err, &protocol) {
		t.Errorf("error %v; want a ProtocolError", got.err)
	}
}

// A binary protocol may begin like a refusal and wait for an answer.
func TestABeginningOfARefusalIsNotHeldBack(t *testing.T) {
	answered := make(chan byte, 1)
	client := serve(t, func(p *peer) {
		p.standard().out("\x00\x01")
		var b [1]byte
		io.ReadFull(p.primary, b[:])
		answered <- b[0]
	})
	session := client.Command(context.Background(), "x")
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w := io.Pipe()
	session.Stdout, session.Stderr = w, io.Discard
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := io.ReadFull(out, b[:]); err != nil || b[0] != 1 {
		t.Fatalf("%q, %v", b, err)
	}
	in.Write([]byte{'y'})
	if got := <-answered; got != 'y' {
		t.Errorf("the command got %q", got)
	}
	in.Close()
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
}

// What the command takes for the end of its input was none.
func TestAnInputThatFailsIsAnError(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x00")
		io.Copy(p.primary, p.primary)
	})
	broken := errors.New("broken disk")
	session := client.Command(context.Background(), "x")
	var out bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = io.MultiReader(strings.NewReader("half"),
		iotest.ErrReader(broken)), &out, io.Discard
	if err := session.Run(); !errors.Is(err, broken) || out.String() != "half" {
		t.Errorf("%q, %v; want what was read, and why there is no more", out.String(), err)
	}
}
