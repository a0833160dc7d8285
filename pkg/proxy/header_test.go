package proxy

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// A stream arrives in pieces of a size, and then ends.
type stream struct {
	left  []byte
	piece int
}

func (s *stream) Peek(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	return copy(p, s.left[:min(len(s.left), s.piece)]), nil
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Peek(p)
	s.left = s.left[n:]
	return n, err
}

const (
	v4 = "\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\xb0\x02\x00"
	v6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x9c\xb0\x02\x00"
)

// headers are all that are read, and what they say.
var headers = map[string]string{
	"PROXY TCP4 192.0.2.7 198.51.100.1 40112 512\r\n":               "192.0.2.7:40112 198.51.100.1:512",
	"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n":                "0.0.0.0:0 255.255.255.255:65535",
	"PROXY TCP6 2001:db8::7 2001:db8::1 40112 512\r\n":              "[2001:db8::7]:40112 [2001:db8::1]:512",
	"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 40112 512\r\n": "192.0.2.7:40112 198.51.100.1:512",
	"PROXY UNKNOWN\r\n": "",
	"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n":                "",
	"PROXY UNKNOWN " + strings.Repeat("x", 107-len("PROXY UNKNOWN \r\n")) + "\r\n": "",
	signature + "\x21\x11\x00\x0c" + v4:                                            "192.0.2.7:40112 198.51.100.1:512",
	signature + "\x21\x21\x00\x24" + v6:                                            "[2001:db8::7]:40112 [2001:db8::1]:512",
	signature + "\x21\x11\x00\x10" + v4 + "\x04\x00\x01x":                          "192.0.2.7:40112 198.51.100.1:512",
	signature + "\x21\x11\xff\xff" + v4 + strings.Repeat("x", 65535-12):            "192.0.2.7:40112 198.51.100.1:512",
	signature + "\x20\x00\x00\x00":                                                 "",
	signature + "\x20\x11\x00\x0c" + v4:                                            "",
	signature + "\x20\x31\x00\x03xyz":                                              "",
	signature + "\x21\x00\x00\x04abcd":                                             "",
}

func say(h Header) string {
	if !h.Client.IsValid() {
		return ""
	}
	return h.Client.String() + " " + h.Called.String()
}

func TestAHeaderIsReadToItsLastByteAndNoFurther(t *testing.T) {
	for text, want := range headers {
		for _, after := range []string{"", "0\x00alice\x00", "PROXY UNKNOWN\r\n"} {
			for _, piece := range []int{1, 2, 15, 16, 17, 1 << 20} {
				s := &stream{[]byte(text + after), piece}
				h, err := Read(s)
				if err != nil || say(h) != want || string(s.left) != after {
					t.Errorf("%.60q in pieces of %d: %q, %v, left %.40q; want %q, left %q", text, piece, say(h), err, s.left, want, after)
				}
			}
		}
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	for text := range headers {
		for n := range min(len(text), 200) {
			_, err := Read(&stream{[]byte(text[:n]), 7})
			if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q: %v; want the end of the stream", text[:n], err)
			}
			if errors.Is(err, ErrEmpty) != (n == 0) || errors.Is(err, ErrNone) {
				t.Errorf("%q: %v", text[:n], err)
			}
		}
	}
}

func TestWhatIsNotAHeaderIsRefusedAtItsFirstWrongByte(t *testing.T) {
	for _, text := range []string{"0\x00", "\x00", "proxy ", "PROXX", "PROXYTCP4", "\r\n\r\n\x00\r\nQUIT\r", "\x16\x03\x01", "GET / HTTP/1.1\r\n"} {
		if _, err := Read(&mute{stream{[]byte(text), 1}}); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v; want %v", text, err, ErrNone)
		}
	}
}

// A mute stream goes on after its last byte, and nothing comes.
type mute struct{ stream }

var errWaited = errors.New("waited for more")

func (m *mute) Read(p []byte) (int, error) {
	if len(m.left) == 0 {
		return 0, errWaited
	}
	return m.stream.Read(p)
}

func TestHeadersWithAnotherSpellingAreRefused(t *testing.T) {
	long := "PROXY UNKNOWN " + strings.Repeat("x", 108-len("PROXY UNKNOWN \r\n")) + "\r\n"
	for _, text := range []string{
		"PROXY TCP4 192.0.2.7 198.51.100.1 40112\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 40112 512 1\r\n",
		"PROXY TCP4  192.0.2.7 198.51.100.1 40112 512\r\n",
		"PROXY  TCP4 192.0.2.7 198.51.100.1 40112 512\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 40112 512 \r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 40112 512\n\r\n",
		"PROXY TCP4 192.0.2.07 198.51.100.1 40112 512\r\n",
		"PROXY TCP4 192.0.2 198.51.100.1 40112 512\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 040112 512\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 +4011 512\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 -1 512\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 65536 512\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 40112 \r\n",
		"PROXY TCP4 2001:db8::7 2001:db8::1 40112 512\r\n",
		"PROXY TCP6 192.0.2.7 198.51.100.1 40112 512\r\n",
		"PROXY TCP6 fe80::1%eth0 2001:db8::1 40112 512\r\n",
		"PROXY TCP6 [2001:db8::7] 2001:db8::1 40112 512\r\n",
		"PROXY UDP4 192.0.2.7 198.51.100.1 40112 512\r\n",
		"PROXY tcp4 192.0.2.7 198.51.100.1 40112 512\r\n",
		"PROXY UNKNOWNS\r\n", "PROXY           \r\n",
		"PROXY UNKNOWN\rx\n", long,
		signature + "\x11\x11\x00\x0c" + v4, // version 1 in binary
		signature + "\x22\x11\x00\x0c" + v4, // a command that there is not
		signature + "\x31\x11\x00\x0c" + v4, // version 3
		signature + "\x21\x12\x00\x0c" + v4, // UDP
		signature + "\x21\x10\x00\x0c" + v4,
		signature + "\x21\x31\x00\xd8" + strings.Repeat("x", 216), // a Unix socket
		signature + "\x21\x11\x00\x0b" + v4[:11],
		signature + "\x21\x21\x00\x23" + v6[:35],
		signature + "\x21\x21\x00\x0c" + v4,
	} {
		for _, piece := range []int{1, 1 << 20} {
			if h, err := Read(&stream{[]byte(text), piece}); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("%.80q: %v, %v", text, h, err)
			}
		}
	}
}

// FuzzRead holds what is read against a reading of the complete header.
func FuzzRead(f *testing.F) {
	for text := range headers {
		f.Add([]byte(text), 3)
		f.Add([]byte(text[:len(text)-1]), 16)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		s := &stream{bytes.Clone(data), max(piece, 1)}
		h, err := Read(s)
		used := data[:len(data)-len(s.left)]
		whole := &stream{bytes.Clone(data), 1 << 20}
		again, errAgain := Read(whole)
		if h != again || (err == nil) != (errAgain == nil) || err == nil && len(whole.left) != len(s.left) {
			t.Errorf("%q in pieces of %d: %v, %v; at once: %v, %v", data, piece, h, err, again, errAgain)
		}
		if err != nil {
			return
		}
		if c := h.Client.Addr(); h.Client.IsValid() != h.Called.IsValid() || c.Is4In6() || c.Zone() != "" {
			t.Errorf("%q: %v", data, h)
		}
		line := bytes.HasSuffix(used, []byte("\r\n")) && bytes.Count(used, []byte("\n")) == 1
		if used[0] == 'P' && (len(used) > longest1 || !line) {
			t.Errorf("%q was consumed for version 1", used)
		}
		if used[0] == '\r' && len(used) != fixed2+int(used[14])<<8+int(used[15]) {
			t.Errorf("%d bytes were consumed for version 2", len(used))
		}
	})
}
