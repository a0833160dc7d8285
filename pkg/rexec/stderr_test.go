package rexec_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
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
