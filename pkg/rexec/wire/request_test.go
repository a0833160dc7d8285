package wire

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
)

// segments is a connection whose bytes arrive in pieces. It fails the
// test when a read takes more than was peeked at.
type segments struct {
	pieces [][]byte
	taken  int
	peeked int
}

func newSegments(step int, s string) *segments {
	w := &segments{}
	for b := []byte(s); len(b) > 0; {
		n := min(step, len(b))
		w.pieces = append(w.pieces, b[:n])
		b = b[n:]
	}
	return w
}

func (w *segments) Peek(p []byte) (int, error) {
	if len(w.pieces) == 0 {
		return 0, io.EOF
	}
	w.peeked = copy(p, w.pieces[0])
	return w.peeked, nil
}

func (w *segments) Read(p []byte) (int, error) {
	if len(p) > w.peeked {
		return 0, errors.New("read of bytes that were not peeked at")
	}
	n := copy(p, w.pieces[0])
	if w.pieces[0] = w.pieces[0][n:]; len(w.pieces[0]) == 0 {
		w.pieces = w.pieces[1:]
	}
	w.peeked -= n
	w.taken += n
	return n, nil
}

var steps = []int{1, 2, 3, 7, 100, 1 << 20}

func TestPortIsDecimalAndInRange(t *testing.T) {
	for _, tt := range []struct {
		sent string
		want int
		ok   bool
	}{
		{"", 0, true}, {"0", 0, true}, {"00000", 0, true}, {"1", 1, true}, {"00080", 80, true}, {"512", 512, true},
		{"65535", 65535, true}, {"65536", 0, false}, {"99999", 0, false}, {"100000", 0, false},
		{"000000", 0, true}, {"000080", 80, true}, {"0000001023", 1023, true}, {"00000065535", 65535, true}, {"00000065536", 0, false},
		{strings.Repeat("0", maxDigits), 0, true}, {strings.Repeat("0", maxDigits-1) + "7", 7, true},
		{strings.Repeat("0", maxDigits) + "7", 0, false},
		{strings.Repeat("0", maxDigits+1), 0, false}, {strings.Repeat("0", 1000), 0, false},
		{"18446744073709551617", 0, false}, {"4294967297", 0, false}, {"000000000018446744073709551617", 0, false}, // 1 with wrap-around
		{"x", 0, false}, {"-1", 0, false}, {"+5", 0, false}, {"1 2", 0, false}, {" 1", 0, false}, {"1\n", 0, false},
		{"0x10", 0, false}, {"1.", 0, false}, {"\xd9\xa1", 0, false}, {strings.Repeat("9", 1000), 0, false},
	} {
		for _, step := range steps {
			w := newSegments(step, tt.sent+"\x00rest")
			got, err := ReadPort(w)
			var bad *PortError
			if got != tt.want || (err == nil) != tt.ok || (!tt.ok && !errors.As(err, &bad)) {
				t.Errorf("ReadPort(%q by %d) = %d, %v; want %d, ok %v", tt.sent, step, got, err, tt.want, tt.ok)
			}
			if tt.ok && w.taken != len(tt.sent)+1 {
				t.Errorf("ReadPort(%q by %d) took %d bytes", tt.sent, step, w.taken)
			}
		}
	}
}

func TestBadPortIsRefusedBeforeItsNUL(t *testing.T) {
	for _, sent := range []string{"GET / HTTP/1.1\r\n", "\x16\x03\x01", "70000", "123456"} {
		var bad *PortError
		if _, err := ReadPort(newSegments(1, sent)); !errors.As(err, &bad) {
			t.Errorf("ReadPort(%q) = %v; want a PortError", sent, err)
		}
	}
}

func TestOtherProtocolsAreNamedInTheReasonAlone(t *testing.T) {
	const public = "stderr port is not a number from 0 to 65535"
	for _, tt := range []struct{ sent, want string }{
		{"PROXY TCP4 192.0.2.7 192.0.2.1 40112 512\r\n0\x00", "PROXY protocol header, which is not expected here"},
		{"PROXY UNKNOWN\r\n", "PROXY protocol header, which is not expected here"},
		{"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", "PROXY protocol header (version 2), which is not expected here"},
		{"\x16\x03\x01\x02\x00", "TLS handshake, which is not expected here"},
		{"SSH-2.0-OpenSSH_9.9\r\n", "SSH greeting, which is not expected here"},
		{"GET / HTTP/1.1\r\n", "HTTP request, which is not expected here"},
		{"OPTIONS / HTTP/1.0\r\n", "HTTP request, which is not expected here"},
		{"PRI * HTTP/2.0\r\n", "HTTP request, which is not expected here"},
		{"PROXYED", public + `: "P"`},
		{"PROXY", public + `: "P"`},
		{"\r\n\r\n\x00alice\x00", public + `: "\r"`},
		{"12PROXY TCP4", public + `: "12P"`},
		{"\x00PROXY TCP4", ""},
		{"x\x00alice\x00secret\x00", public + `: "x"`},
	} {
		w := newSegments(1<<20, tt.sent)
		_, err := ReadPort(w)
		var bad *PortError
		switch {
		case tt.want == "" && err != nil, tt.want != "" && !errors.As(err, &bad):
			t.Errorf("ReadPort(%q) = %v", tt.sent, err)
		case tt.want != "" && (bad.Reason() != tt.want || bad.Error() != public || w.taken != 0):
			t.Errorf("ReadPort(%q): reason %s, text %s, %d bytes taken; want reason %s", tt.sent, bad.Reason(), bad, w.taken, tt.want)
		}
		// What comes in pieces is refused all the same, and at once.
		if _, err := ReadPort(newSegments(1, tt.sent)); tt.want != "" && !errors.As(err, &bad) {
			t.Errorf("ReadPort(%q by 1) = %v; want a PortError", tt.sent, err)
		}
	}
}

// peekOnly keeps the buffer that the reader peeked into.
type peekOnly struct {
	text string
	buf  []byte
}

func (p *peekOnly) Peek(b []byte) (int, error) { p.buf = b; return copy(b, p.text), nil }
func (p *peekOnly) Read([]byte) (int, error)   { return 0, io.ErrUnexpectedEOF }

func TestRefusedPortLeavesNoCopyOfThePassword(t *testing.T) {
	for _, sent := range []string{"x\x00alice\x00secret\x00", "70000\x00alice\x00secret\x00", "\x00alice\x00secret\x00", "GET alice secret"} {
		p := &peekOnly{text: sent}
		_, err := ReadPort(p)
		var bad *PortError
		if errors.As(err, &bad) && bytes.Contains(bad.Sent, []byte("secret")) ||
			bytes.Contains(p.buf[:cap(p.buf)], []byte("secret")) {
			t.Errorf("ReadPort(%q) = %v leaves %q", sent, err, p.buf)
		}
	}
}

func TestRequestIsReadToItsNULAndNotOneByteFurther(t *testing.T) {
	for _, tt := range []struct{ user, password, command, stdin string }{
		{"alice", "secret", "date", "input"},
		{"", "", "", ""},
		{"a", "b", " leading and trailing ", "\x00\x00\x01"},
		{"\xff\n", "\x01", "a\r\nb\xfe", "\x00"},
		{strings.Repeat("u", MaxUser), strings.Repeat("p", MaxPassword), strings.Repeat("c", MaxCommand), "x"},
	} {
		sent := tt.user + "\x00" + tt.password + "\x00" + tt.command + "\x00"
		for _, step := range steps {
			w := newSegments(step, sent+tt.stdin)
			req, err := ReadRequest(w)
			if err != nil || req.User != tt.user || string(req.Password) != tt.password || req.Command != tt.command {
				t.Fatalf("ReadRequest(%.40q by %d) = %.40q, %v", sent, step, req.User, err)
			}
			if w.taken != len(sent) {
				t.Errorf("ReadRequest(%.40q by %d) took %d bytes; want %d", sent, step, w.taken, len(sent))
			}
			if req.Wipe(); bytes.ContainsFunc(req.Password[:cap(req.Password)], func(r rune) bool { return r != 0 }) {
				t.Errorf("password after Wipe = %q", bytes.Trim(req.Password[:cap(req.Password)], "\x00"))
			}
		}
	}
}

func TestOverlongFieldIsNamed(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		sent string
		want error
	}{
		{long(MaxUser + 1), ErrUserTooLong},
		{long(1 << 20), ErrUserTooLong},
		{"u\x00" + long(MaxPassword+1), ErrPasswordTooLong},
		{"u\x00p\x00" + long(MaxCommand+1), ErrCommandTooLong},
	} {
		for _, step := range steps {
			for _, end := range []string{"", "\x00"} {
				if _, err := ReadRequest(newSegments(step, tt.sent+end)); !errors.Is(err, tt.want) {
					t.Errorf("ReadRequest(%d bytes by %d) = %v; want %v", len(tt.sent), step, err, tt.want)
				}
			}
		}
	}
}

func TestTruncationAtEveryByteIsAnUnexpectedEOF(t *testing.T) {
	const sent = "1024\x00alice\x00secret\x00date\x00"
	for n := range len(sent) {
		w := newSegments(3, sent[:n])
		_, err := ReadPort(w)
		if err == nil {
			_, err = ReadRequest(w)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v; want unexpected EOF", n, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("0\x00alice\x00secret\x00date\x00input"), 3)
	f.Add([]byte("65535\x00\x00\x00\x00"), 1)
	f.Add([]byte("\x00u\x00p\x00c"), 100)
	f.Add([]byte("0000001023\x00u\x00p\x00c\x00"), 4)
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11"), 100)
	f.Fuzz(func(t *testing.T, sent []byte, step int) {
		w := newSegments(max(step, 1), string(sent))
		port, err := ReadPort(w)
		if err != nil {
			return
		}
		req, err := ReadRequest(w)
		if err != nil {
			return
		}
		// Round trip: what was taken is what the fields say, and nothing more.
		digits, _, _ := bytes.Cut(sent, []byte{0})
		again := string(digits) + "\x00" + req.User + "\x00" + string(req.Password) + "\x00" + req.Command + "\x00"
		if string(sent[:w.taken]) != again ||
			strings.TrimLeft(string(digits), "0") != strings.TrimLeft(strconv.Itoa(port), "0") || port > 65535 {
			t.Errorf("took %q; the fields say %q", sent[:w.taken], again)
		}
	})
}
