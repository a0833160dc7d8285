package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A text is a connection on which all has come at once.
type text struct{ *strings.Reader }

func (c text) Peek(p []byte) (int, error) {
	if c.Len() == 0 {
		return 0, io.EOF
	}
	at := c.Size() - int64(c.Len())
	n, err := c.ReadAt(p, at)
	if n > 0 {
		err = nil
	}
	return n, err
}

func TestAnRshRequestIsReadToItsLastNULAndNoFurther(t *testing.T) {
	for _, c := range []struct {
		sent, client, user, password, command, rest string
		has                                         bool
	}{
		{"bob\x00alice\x00id\x00input", "bob", "alice", "", "id", "input", false},
		{"bob\x00alice/secret\x00id\x00", "bob", "alice", "secret", "id", "", true},
		{"bob\x00alice/a/b/\x00id\x00\x00", "bob", "alice", "a/b/", "id", "\x00", true},
		{"\x00alice/\x00\x00", "", "alice", "", "", "", true},
		{"\x00/\x00x\x00", "", "", "", "x", "", true},
	} {
		from := text{strings.NewReader(c.sent)}
		req, err := ReadRshRequest(from)
		if err != nil {
			t.Fatalf("%q: %v", c.sent, err)
		}
		rest, _ := io.ReadAll(from)
		if req.Client != c.client || req.User != c.user || string(req.Password) != c.password ||
			req.HasPassword != c.has || req.Command != c.command || string(rest) != c.rest {
			t.Errorf("%q: %+v, password %q, then %q", c.sent, req, req.Password, rest)
		}
		req.Wipe()
		if strings.Trim(string(req.Password), "\x00") != "" {
			t.Errorf("%q: the password is still there", c.sent)
		}
		for n := range len(c.sent) - len(c.rest) {
			if _, err := ReadRshRequest(text{strings.NewReader(c.sent[:n])}); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q: %v", c.sent[:n], err)
			}
		}
	}
}
