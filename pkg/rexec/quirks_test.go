package rexec_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/rexec"
)

// Both ways of having a connection for standard error.
var modes = map[string]rexec.StderrMode{"two connections": rexec.StderrYes, "one connection": rexec.StderrNo}

func TestRefusalsOfAllVendorsGiveTheirText(t *testing.T) {
	for _, row := range []struct{ server, sent, text, reason string }{
		{"BSD", "\x01Login incorrect.\n", "Login incorrect.", "Login incorrect."},
		{"OpenVMS", "\x01Login incorrect.\r\n\x00", "Login incorrect.", "Login incorrect."},
		{"OpenVMS without CR", "\x01Login incorrect.\n\x00", "Login incorrect.", "Login incorrect."},
		{"HP-UX", "\x01rexecd: Login incorrect.\n", "rexecd: Login incorrect.", "Login incorrect."},
		{"AIX", "\x01rexecd: 0826-604 The login is not correct.\n", "rexecd: 0826-604 The login is not correct.", "The login is not correct."},
		{"AIX with a colon", "\x010826-604: The login is not correct.\n", "0826-604: The login is not correct.", "The login is not correct."},
		{"no line end", "\x01Too many users", "Too many users", "Too many users"},
		{"two lines", "\x01Password expired.\nChange it on the console.\n", "Password expired.\nChange it on the console.", "Password expired.\nChange it on the console."},
		{"nothing but the status", "\x01", "", ""},
		{"netkit, PAM refused", "", "", ""},
	} {
		for name, mode := range modes {
			t.Run(row.server+", "+name, func(t *testing.T) {
				client := serve(t, func(p *peer) { p.standard().out(row.sent) })
				client.Stderr = mode
				got := run(t, client, "id", nil)
				var refused *rexec.RefusedError
				if !errors.As(got.err, &refused) {
					t.Fatalf("error %v, want a RefusedError", got.err)
				}
				if refused.Text != row.text || refused.Reason() != row.reason {
					t.Errorf("Text %q, Reason %q; want %q, %q", refused.Text, refused.Reason(), row.text, row.reason)
				}
			})
		}
	}
}

// A server that says no and does not hang up keeps nobody waiting.
func TestRefusalNeedsNoEndOfFile(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x01Login incorrect.\n")
		p.gone()
	})
	begin := time.Now()
	got := run(t, client, "id", nil)
	if time.Since(begin) > patience/2 || describe(got.err) != "refused: Login incorrect." {
		t.Errorf("%v after %v", got.err, time.Since(begin))
	}
}

func TestStatusByteOnTheStderrConnection(t *testing.T) {
	for _, row := range []struct{ name, out, errs string }{
		{"output", "hello\n", ""},
		{"no output", "", ""},
		{"both", "hello\n", "oops\n"},
		{"output begins with 0", "\x00\x00hello", ""},
		{"output begins with 1", "\x01hello", ""},
		{"stderr goes on with NUL and 1", "x", "\x00\x01\x00"},
		{"binary", "\xff\x00\x01", "\x01\x01"},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := serve(t, func(p *peer) { // GNU inetutils since 1.9.2
				p.standard().errs("\x00")
				p.clientHas("status byte")
				p.errs(row.errs)
				p.out(row.out)
			})
			run(t, client, "x", nil).is(t, row.out, row.errs)
		})
	}
	t.Run("refusal", func(t *testing.T) {
		client := serve(t, func(p *peer) { p.standard().errs("\x01Login incorrect.\n") })
		if got := run(t, client, "x", nil); describe(got.err) != "refused: Login incorrect." {
			t.Errorf("error %v", got.err)
		}
	})
	t.Run("silent command", func(t *testing.T) { // nothing on the primary until the input ends
		client := serve(t, func(p *peer) {
			p.standard().errs("\x00")
			p.gone()
		})
		run(t, client, "x", strings.NewReader("input")).is(t, "", "")
	})
}

func TestStatusOnPrimaryQuirkLeavesStderrAlone(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().errs("\x00first")
		p.clientHas("the stderr connection begins")
		p.out("\x00out")
	})
	client.Quirks.StatusOnPrimary = true
	run(t, client, "x", nil).is(t, "out", "\x00first")
}

// What comes early on the stderr connection of an ordinary server is shown.
func TestStderrBeforeTheStatusByte(t *testing.T) {
	for _, early := range []string{"warning\n", "\x01warning\n", "\x01"} {
		client := serve(t, func(p *peer) {
			p.standard().errs(early)
			p.clientHas("the stderr connection begins")
			p.out("\x00out")
		})
		run(t, client, "x", nil).is(t, "out", early)
	}
}

func TestRefusalAfterTheStatusByte(t *testing.T) {
	for _, text := range []string{"\x01No remote directory.\n", "\x01Try again.\n", "\x01No remote directory.\r\n"} {
		for _, side := range []string{"primary", "stderr"} {
			client := serve(t, func(p *peer) { // netkit, FreeBSD, illumos
				p.standard().out("\x00")
				if side == "primary" {
					p.out(text)
				} else {
					p.errs(text)
				}
			})
			got := run(t, client, "x", nil)
			want := "refused: " + strings.TrimSpace(text[1:])
			if describe(got.err) != want || got.out != "" || got.errs != "" {
				t.Errorf("%q on %s: %v, output %q %q; want %s", text, side, got.err, got.out, got.errs, want)
			}
		}
	}
}

// Output that only resembles a refusal is output.
func TestOutputLikeARefusalIsNotEaten(t *testing.T) {
	for _, row := range []struct{ out, errs string }{
		{"\x01", ""},
		{"\x01No remote directory", ""},
		{"\x01No remote directory.\n\n", ""},
		{"\x01No remote directory.\nmore", ""},
		{"\x01No remote directory.\n", "and this"},
		{"and this", "\x01Try again.\n"},
		{"\x01Try again.\n", "\x01Try again.\n"},
		{"\x00\x01\x00\x01", "\x01\x00"},
		{"\x00", "\x00"},
		{"", "\x00\x01"},
		{"\x01Login incorrect.\n", ""},
	} {
		client := serve(t, func(p *peer) {
			p.standard().out("\x00")
			p.clientHas("status byte")
			p.out(row.out)
			p.errs(row.errs)
		})
		run(t, client, "x", nil).is(t, row.out, row.errs)
	}
}

// What cannot be a refusal any more is not held back for its end.
func TestOutputThatBeginsWithOneIsPassedOnAtOnce(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x00\x01No remote x")
		p.gone() // until the input ends, which is when the output has come
	})
	session := client.Command(context.Background(), "x")
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() {
		t.Error("the output is held back")
		session.Close()
	})
	defer late.Stop()
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("\x01No remote x"))
	if _, err := io.ReadFull(stdout, got); err != nil {
		t.Errorf("output %q, %v", got, err)
	}
	stdin.Close()
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
}

func TestNoStatusByteQuirk(t *testing.T) {
	for _, out := range []string{"hello", "", "\x00\x01", "\x01Try again.\nx"} {
		client := serve(t, func(p *peer) { // NuttX
			p.readPort()
			p.readRequest()
			p.out(out)
		})
		client.Quirks.NoStatus, client.Stderr = true, rexec.StderrNo
		run(t, client, "x", nil).is(t, out, "")
	}
}

// OpenBSD's and netkit 0.09's servers connect when they know the password;
// whoever waits for them before saying it waits for ever.
func TestLateStderrQuirk(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.readPort()
		if p.readRequest(); p.pass != "secret" {
			p.out("\x01Login incorrect.\n")
			return
		}
		p.connect()
		p.out("\x00out")
		p.errs("err")
	})
	client.Quirks.LateStderr = true
	for range 20 { // connection and status byte come together
		run(t, client, "x", nil).is(t, "out", "err")
	}
	client.Password = "guess"
	if got := run(t, client, "x", nil); describe(got.err) != "refused: Login incorrect." {
		t.Errorf("error %v", got.err)
	}
}

func TestGarbageInPlaceOfAStatusByte(t *testing.T) {
	client := serve(t, func(p *peer) { p.standard().out("SSH-2.0-OpenSSH\r\n") })
	for _, mode := range modes {
		client.Stderr = mode
		got := run(t, client, "x", nil)
		var protocol *rexec.ProtocolError
		if !errors.As(got.err, &protocol) || !strings.Contains(got.err.Error(), "SSH-2.0-OpenSSH") {
			t.Errorf("error %v, want a ProtocolError that shows what came", got.err)
		}
	}
}

func TestCancelledSessionEnds(t *testing.T) {
	for _, when := range []string{"before the status", "after it"} {
		client := serve(t, func(p *peer) {
			p.standard()
			if when == "after it" {
				p.out("\x00begin")
			}
			p.gone()
		})
		ctx, cancel := context.WithCancel(context.Background())
		session := client.Command(ctx, "x")
		session.Stdin = neverEnding{}
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := session.Run(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want %v", when, err, context.Canceled)
		}
	}
}

// neverEnding is an input that has nothing to say and does not end.
type neverEnding struct{}

func (neverEnding) Read([]byte) (int, error) { select {} }
