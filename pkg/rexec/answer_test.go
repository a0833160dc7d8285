package rexec

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"

	"rexecd/pkg/rexec/wire"
)

// begun is a stream whose opening has already come.
func begun(value byte) *stream {
	s := &stream{}
	s.giveBack(opening{data: []byte{value}})
	return s
}

// When both connections have begun before the client looked, order is lost.
// NUL on both is then taken as the standard has it; anything else on the
// primary can only be output, behind GNU's status byte on the stderr
// connection.
func TestBothConnectionsHaveBegun(t *testing.T) {
	for _, row := range []struct {
		primary, stderr byte
		out, errs       string // what is given back to the command's output
	}{
		{0, 0, "", "\x00"},
		{0, 1, "", "\x01"},
		{1, 0, "\x01", ""},
		{'o', 0, "o", ""},
	} {
		for range 50 { // select chooses by chance
			s := &Session{client: &Client{}, stdout: begun(row.primary), stderr: begun(row.stderr)}
			if err := s.awaitStatus(context.Background()); err != nil {
				t.Fatalf("%d and %d: %v", row.primary, row.stderr, err)
			}
			if out, errs := given(s.stdout), given(s.stderr); out != row.out || errs != row.errs {
				t.Fatalf("%d and %d: output %q, stderr %q; want %q, %q", row.primary, row.stderr, out, errs, row.out, row.errs)
			}
		}
	}
}

// given is what a stream has to give before its connection is read.
func given(s *stream) string {
	if s.first != nil {
		return string((<-s.first).data)
	}
	return string(s.buffered)
}

// FuzzAnswer plays any two connections to the reader of status and
// diagnostics. Not a byte of the command's may be lost or made up.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []struct{ primary, stderr string }{
		{"\x00out", "err"}, {"\x00", ""}, {"", ""}, {"\x01Login incorrect.\r\n\x00", ""},
		{"out", "\x00err"}, {"", "\x01Login incorrect.\n"}, {"\x00\x01No remote directory.\n", ""},
		{"\x00", "\x01Try again.\n"}, {"\x00\x00\x01", "\x00\x01"}, {"SSH-2.0", ""}, {"\x01", "\x00"},
	} {
		f.Add([]byte(seed.primary), []byte(seed.stderr), true)
		f.Add([]byte(seed.primary), []byte(seed.stderr), false)
	}
	f.Fuzz(func(t *testing.T, primary, stderr []byte, stderrFirst bool) {
		out, errs, err := play(t, primary, stderr, stderrFirst)
		var refused *RefusedError
		var protocol *ProtocolError
		standard := bytes.Equal(out, after(primary, wire.StatusOK)) && bytes.Equal(errs, stderr)
		gnu := bytes.Equal(out, primary) && bytes.Equal(errs, after(stderr, wire.StatusOK))
		switch {
		case err == nil:
			if !(standard && bytes.HasPrefix(primary, []byte{0})) && !(gnu && bytes.HasPrefix(stderr, []byte{0})) {
				t.Errorf("%q, %q became output %q and stderr %q", primary, stderr, out, errs)
			}
		case errors.As(err, &refused):
			if len(refused.Text) > maxRefusal || len(out) > 0 {
				t.Errorf("refusal of %d bytes, output %q", len(refused.Text), out)
			}
		case !errors.As(err, &protocol):
			t.Errorf("error %v of no kind", err)
		}
	})
}

// after is data without its first byte, if that is status.
func after(data []byte, status byte) []byte {
	if len(data) > 0 && data[0] == status {
		return data[1:]
	}
	return nil
}

// play runs the client's half over pipes.
func play(t *testing.T, primary, stderr []byte, stderrFirst bool) (out, errs []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	here1, there1 := net.Pipe()
	here2, there2 := net.Pipe()
	begun := make(chan struct{})
	send := func(conn net.Conn, data []byte, first bool) {
		defer conn.Close()
		if !first {
			<-begun
		}
		if len(data) > 0 {
			conn.Write(data[:1])
		}
		if first {
			close(begun)
		}
		if len(data) > 1 {
			conn.Write(data[1:])
		}
	}
	go send(there1, primary, !stderrFirst)
	go send(there2, stderr, stderrFirst)
	var stdout, stderrOut bytes.Buffer
	s := &Session{client: &Client{}, ctx: ctx, stdout: newStream(here1), stderr: newStream(here2),
		Stdout: &stdout, Stderr: &stderrOut}
	if err = s.awaitStatus(ctx); err == nil {
		s.stop = context.AfterFunc(ctx, s.close)
		s.copyAll()
		err = s.Wait()
	} else {
		s.close()
		s.copying.Wait()
	}
	return stdout.Bytes(), stderrOut.Bytes(), err
}

// FuzzRefusal: whatever a server says, what is shown is one line of printable
// text.
func FuzzRefusal(f *testing.F) {
	for _, seed := range []string{"Login incorrect.\n", "rexecd: 0826-604 no\r\n\x00", "\x1b]0;title\x07", "a\nb\n", "\xff\u202e", "rexecd: ", "1234-567"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		refused := &RefusedError{Text: cleanRefusal(raw)}
		for _, r := range refused.Error() {
			if !unicode.IsPrint(r) {
				t.Errorf("%q shows %q", raw, refused.Error())
			}
		}
		if strings.ContainsRune(refused.Text, 0) {
			t.Errorf("NUL in %q", refused.Text)
		}
	})
}
