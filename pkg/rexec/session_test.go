package rexec_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rexecd/pkg/rexec"
)

func TestRequestGoesOverTheWireByteForByte(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			command := " printf 'a\tb\xff\n' # \x01 "
			client := serve(t, func(p *peer) {
				p.standard().out("\x00")
				p.out(fmt.Sprintf("%q %q %q %v", p.user, p.pass, p.command, p.port != 0))
			})
			client.Stderr, client.Password = mode, ""
			want := fmt.Sprintf("%q %q %q %v", "alice", "", command, mode == rexec.StderrYes)
			run(t, client, command, nil).is(t, want, "")
		})
	}
}

func TestNULInARequestIsRefusedHere(t *testing.T) {
	client := &rexec.Client{Host: "127.0.0.1", Port: 1, User: "al\x00ice"}
	if err := client.Command(context.Background(), "id").Run(); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Errorf("error %v, want one about NUL", err)
	}
}

// 64 MiB each way at once, every byte value, and the input's end seen by the
// command before its output ends.
func TestBytesBothWaysAreExact(t *testing.T) {
	const size = 64 << 20
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			received := make(chan [32]byte, 1)
			client := serve(t, func(p *peer) {
				p.standard().out("\x00")
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					io.Copy(p.primary, noise(size))
				}()
				hash := sha256.New()
				io.Copy(hash, p.primary)
				received <- [32]byte(hash.Sum(nil))
				<-sent
			})
			client.Stderr = mode
			hash := sha256.New()
			session := client.Command(context.Background(), "x")
			session.Stdin, session.Stdout = noise(size), hash
			if err := session.Run(); err != nil {
				t.Fatal(err)
			}
			want := sha256.New()
			io.Copy(want, noise(size))
			if got := <-received; got != [32]byte(want.Sum(nil)) {
				t.Error("the command read other bytes than were sent")
			}
			if !bytes.Equal(hash.Sum(nil), want.Sum(nil)) {
				t.Error("the output has other bytes than the command wrote")
			}
		})
	}
}

var errEnough = errors.New("enough")

// noise is always the same size bytes.
func noise(size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
}

// A client that is not being read does not read: the server's writes stall
// instead of filling memory. And the other way round.
func TestBackPressure(t *testing.T) {
	var written atomic.Int64
	release := make(chan struct{})
	client := serve(t, func(p *peer) {
		p.standard().out("\x00")
		chunk := make([]byte, 64<<10)
		for range 4096 { // 256 MiB
			n, err := p.primary.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	session := client.Command(ctx, "x")
	session.Stdout = blockedWriter{release}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	stalled(t, &written)
	if n := written.Load(); n > 64<<20 {
		t.Errorf("%d bytes left the server and nobody read one", n)
	}
	cancel()
	close(release)
	if err := session.Wait(); err == nil {
		t.Error("no error from a session that was cut")
	}
}

func TestInputIsNotReadAheadOfTheCommand(t *testing.T) {
	done := make(chan struct{})
	client := serve(t, func(p *peer) {
		p.standard().out("\x00")
		<-done // reads nothing
	})
	var read atomic.Int64
	session := client.Command(context.Background(), "x")
	session.Stdin = countingReader{&read}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	stalled(t, &read)
	if n := read.Load(); n > 64<<20 {
		t.Errorf("%d bytes of input were read, and the command took none", n)
	}
	close(done)
	if err := session.Wait(); err != nil {
		t.Errorf("a command that leaves its input unread: %v", err)
	}
}

// stalled waits until a count has begun and stands still.
func stalled(t *testing.T, count *atomic.Int64) {
	t.Helper()
	last, since := int64(0), time.Now()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if now := count.Load(); now != last {
			last, since = now, time.Now()
		} else if now > 0 && time.Since(since) > 500*time.Millisecond {
			return
		}
	}
	t.Error("it never stalls")
}

type blockedWriter struct{ until chan struct{} }

func (w blockedWriter) Write(p []byte) (int, error) { <-w.until; return len(p), nil }

type countingReader struct{ n *atomic.Int64 }

func (r countingReader) Read(p []byte) (int, error) { r.n.Add(int64(len(p))); return len(p), nil }

func TestSignalsGoAsBytes(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x00")
		var got [3]byte
		io.ReadFull(p.stderr, got[:])
		p.out(fmt.Sprint(got))
	})
	session := client.Command(context.Background(), "x")
	var out bytes.Buffer
	session.Stdout = &out
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	for _, signal := range []byte{2, 15, 20} {
		if err := session.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Wait(); err != nil || out.String() != "[2 15 20]" {
		t.Errorf("the server got %s, %v", out.String(), err)
	}
	if err := session.Signal(9); err == nil {
		t.Error("a signal to a session that is over is no error")
	}
}

func TestSignalNeedsTheStderrConnection(t *testing.T) {
	client := serve(t, func(p *peer) { p.standard().out("\x00"); p.gone() })
	client.Stderr = rexec.StderrNo
	session := client.Command(context.Background(), "x")
	if err := session.Signal(2); !errors.Is(err, rexec.ErrNotStarted) {
		t.Errorf("before Start: %v", err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	if err := session.Signal(2); !errors.Is(err, rexec.ErrNoStderr) {
		t.Errorf("with one connection: %v", err)
	}
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
}

func TestOutputAndPipes(t *testing.T) {
	client := serve(t, func(p *peer) { p.standard().out("\x00"); io.Copy(p.primary, p.primary) })
	session := client.Command(context.Background(), "cat")
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		io.WriteString(stdin, "to and fro")
		stdin.Close()
	}()
	if out, err := session.Output(); string(out) != "to and fro" || err != nil {
		t.Errorf("Output() = %q, %v", out, err)
	}
	if _, err := stdin.Write([]byte("late")); err == nil {
		t.Error("writing to the input of a session that is over is no error")
	}
	session = client.Command(context.Background(), "cat")
	session.Stdin = strings.NewReader("through the pipe")
	stdout, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(stdout); string(out) != "through the pipe" || err != nil {
		t.Errorf("pipe: %q, %v", out, err)
	}
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
}

func TestSessionRunsOnce(t *testing.T) {
	client := serve(t, func(p *peer) { p.standard().out("\x00") })
	session := client.Command(context.Background(), "x")
	if err := session.Wait(); !errors.Is(err, rexec.ErrNotStarted) {
		t.Errorf("Wait before Start: %v", err)
	}
	if err := session.Run(); err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); !errors.Is(err, rexec.ErrStarted) {
		t.Errorf("second Start: %v", err)
	}
}

// A reset is the end of a command that left input unread, and the loss of the
// connection otherwise.
func TestResetConnection(t *testing.T) {
	client := serve(t, func(p *peer) {
		p.standard().out("\x00out")
		p.clientHas("status byte")
		p.primary.SetLinger(0)
	})
	var protocol *rexec.ProtocolError
	if got := run(t, client, "x", nil); !errors.As(got.err, &protocol) {
		t.Errorf("connection lost: error %v, want a ProtocolError", got.err)
	}
}

func TestWriterThatFailsEndsTheSession(t *testing.T) {
	client := serve(t, func(p *peer) { p.standard().out("\x00out"); p.gone() })
	session := client.Command(context.Background(), "x")
	session.Stdin, session.Stdout = neverEnding{}, failingWriter{}
	if err := session.Run(); !errors.Is(err, errEnough) {
		t.Errorf("error %v, want the writer's", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errEnough }
