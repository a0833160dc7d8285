package rexec_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/rexec"
)

const short = 300 * time.Millisecond // a timeout that is meant to be reached

const floodsRefusal = "floods a refusal without a line end"

// bounded runs a session against a hostile server: it must end soon after its
// timeout and must not have taken memory.
func bounded(t *testing.T, client *rexec.Client) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	session := client.Command(context.Background(), "x")
	session.Stdin, session.Stdout, session.Stderr = neverEnding{}, io.Discard, io.Discard
	err := session.Start()
	if err == nil {
		err = session.Wait()
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("took %v with a timeout of %v", took, client.Timeout)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 32<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	return err
}

func TestHostileServersDoNotHangTheClient(t *testing.T) {
	flood := bytes.Repeat([]byte("flood "), 10000)
	for _, row := range []struct {
		name   string
		script func(*peer)
	}{
		{"never answers", (*peer).gone},
		{"never reads or answers", func(p *peer) { time.Sleep(2 * short) }},
		{"takes the port and never connects", func(p *peer) { p.readPort(); p.gone() }},
		{"connects and says nothing", func(p *peer) { p.standard().gone() }},
		{"floods in place of a status byte", func(p *peer) {
			p.standard()
			for p.write(flood) {
			}
		}},
		{floodsRefusal, func(p *peer) {
			p.standard().out("\x01")
			for p.write(flood) {
			}
		}},
		{"floods before stderr is connected", func(p *peer) {
			p.readPort()
			for p.write(flood) {
			}
		}},
		{"dribbles a refusal", func(p *peer) { p.standard().out("\x01"); p.dribble() }},
		{"floods stderr before the status byte", func(p *peer) {
			p.standard()
			for {
				if _, err := p.stderr.Write(flood); err != nil {
					return
				}
			}
		}},
		{"says 1 on stderr and no more", func(p *peer) { p.standard().errs("\x01"); p.gone() }},
		{"says 1 on stderr, and ends the other", func(p *peer) { p.standard().errs("\x01"); p.primary.CloseWrite(); p.gone() }},
	} {
		for name, mode := range modes {
			if mode == rexec.StderrNo && strings.Contains(row.name, "stderr") {
				continue
			}
			t.Run(row.name+", "+name, func(t *testing.T) {
				client := serve(t, row.script)
				client.Stderr = mode
				client.Timeout = short
				if row.name == floodsRefusal { // ends by itself, and has time to
					client.Timeout = patience / 4
				}
				err := bounded(t, client)
				var refused *rexec.RefusedError
				var protocol *rexec.ProtocolError
				var dial *rexec.DialError
				if row.name == floodsRefusal && (!errors.As(err, &refused) || len(refused.Text) > 4096) {
					t.Errorf("error %.100v, want the beginning of the refusal", err)
				}
				if !errors.As(err, &refused) && !errors.As(err, &protocol) && !errors.As(err, &dial) {
					t.Errorf("error %v is none of the three kinds", err)
				}
			})
		}
	}
}

func (p *peer) dribble() {
	for p.write([]byte("x")) {
		time.Sleep(10 * time.Millisecond)
	}
}

// write reports whether the client still reads.
func (p *peer) write(b []byte) bool {
	_, err := p.primary.Write(b)
	return err == nil
}

// More than fits into the kernel's buffers: they must have been read.
func TestMillionsOfStderrBytesBeforeTheStatus(t *testing.T) {
	const many = 32 << 20
	client := serve(t, func(p *peer) {
		p.standard()
		p.errs(strings.Repeat("x", many))
		p.out("\x00out")
	})
	run(t, client, "x", nil).is(t, "out", strings.Repeat("x", many))
}

// A server that hangs up at any point of the protocol is an error of one of
// the three kinds, at once.
func TestServerClosesAtEveryByte(t *testing.T) {
	const request = "alice\x00secret\x00true\x00"
	for name, mode := range modes {
		all := len("40000\x00") + len(request) // the kernel's own choice of port has five digits
		if mode == rexec.StderrNo {
			all = len("\x00") + len(request)
		}
		for n := range all + 1 {
			client := serve(t, func(p *peer) {
				// n bytes are read: of the port, then of the request.
				var b [1]byte
				for read := range n {
					if _, err := io.ReadFull(p.primary, b[:]); err != nil {
						return
					}
					if b[0] == 0 && mode == rexec.StderrYes && p.stderr == nil && p.port != 0 {
						p.connect()
					} else if p.stderr == nil && read < 6 && b[0] != 0 {
						p.port = p.port*10 + int(b[0]-'0')
					}
				}
			})
			client.Stderr = mode
			got := run(t, client, "true", nil)
			var refused *rexec.RefusedError
			var protocol *rexec.ProtocolError
			if !errors.As(got.err, &refused) && !errors.As(got.err, &protocol) {
				t.Errorf("%s, closed after %d bytes: error %v", name, n, got.err)
			}
		}
	}
}

func TestAnswersByteByByte(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard()
		for _, b := range "\x01Login incorrect.\r\n\x00" {
			p.out(string(b))
			time.Sleep(time.Millisecond)
		}
	})
	if got := run(t, client, "x", nil); describe(got.err) != "refused: Login incorrect." {
		t.Errorf("error %v", got.err)
	}
}
