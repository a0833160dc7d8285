// Package proxy reads the header that a load balancer sends before a client's first
// byte: versions 1 and 2 of the PROXY protocol (proxy-protocol.txt of HAProxy). It
// takes the header and not one byte more, and guesses nothing: whoever reads a
// header must know from elsewhere that there is one.
package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// A Peeker is a connection that can be looked at before it is read. Peek copies
// what has arrived and leaves it there: at least one byte, or an error.
type Peeker interface {
	Peek(p []byte) (int, error)
	io.Reader
}

// A Header is what a proxy says of a connection. Where nobody is behind the proxy,
// as in a health check, both addresses are invalid.
type Header struct {
	Client netip.AddrPort // the far end of the client's connection to the proxy
	Called netip.AddrPort // the proxy's end of it
}

var (
	// ErrNone is a connection without a header. What it begins with was not consumed
	// to any useful end.
	ErrNone = errors.New("no PROXY header")
	// ErrEmpty is a connection that ended before its first byte. It wraps the reason.
	ErrEmpty = errors.New("the connection ended before its PROXY header")
)

const (
	prefix1   = "PROXY "
	signature = "\r\n\r\n\x00\r\nQUIT\n"

	shortest = len("PROXY UNKNOWN\r\n") // of both versions
	longest1 = 107                      // of version 1, the end of the line included
	fixed2   = len(signature) + 4       // of version 2: then a version, a family, a length
)

// Read reads a header. It waits for no more than there must be, so that what is not
// a header is refused as soon as that is certain.
func Read(r Peeker) (Header, error) {
	buf := make([]byte, 0, longest1)
	for len(buf) < shortest {
		n, err := r.Read(buf[len(buf):shortest])
		buf = buf[:len(buf)+n]
		switch {
		case !begins(buf, prefix1) && !begins(buf, signature):
			return Header{}, fmt.Errorf("%w: the connection begins with %q", ErrNone, buf)
		case err != nil && len(buf) == 0:
			return Header{}, fmt.Errorf("%w: %w", ErrEmpty, err)
		case err != nil:
			return Header{}, cut(err)
		}
	}
	if buf[0] == prefix1[0] {
		return read1(r, buf)
	}
	return read2(r, buf)
}

// begins reports whether b is the beginning of what begins with with.
func begins(b []byte, with string) bool {
	n := min(len(b), len(with))
	return string(b[:n]) == with[:n]
}

// cut is the error of a header that ends early.
func cut(err error) error { return fmt.Errorf("read PROXY header: %w", err) }

// read1 reads the rest of a line. buf has its beginning, which has no end of a line
// before its last byte, or is not one.
func read1(r Peeker, buf []byte) (Header, error) {
	for {
		if end := bytes.IndexByte(buf, '\n'); end >= 0 {
			line, ok := strings.CutSuffix(string(buf[:end+1]), "\r\n")
			if !ok || end+1 != len(buf) {
				return Header{}, fmt.Errorf("PROXY header, version 1: %q is not one line", buf)
			}
			return parse1(line)
		}
		if len(buf) == longest1 {
			return Header{}, fmt.Errorf("PROXY header, version 1: no end of line in %d bytes", longest1)
		}
		rest := buf[len(buf):longest1]
		n, err := r.Peek(rest)
		if err != nil {
			return Header{}, cut(err)
		}
		if end := bytes.IndexByte(rest[:n], '\n'); end >= 0 {
			n = end + 1
		}
		if n, err = io.ReadFull(r, rest[:n]); err != nil {
			return Header{}, cut(err)
		}
		buf = buf[:len(buf)+n]
	}
}

// parse1 reads "PROXY TCP4 client called port port", or "PROXY UNKNOWN" and anything.
func parse1(line string) (h Header, err error) {
	words := strings.Split(line, " ")
	if words[1] == "UNKNOWN" {
		return Header{}, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return Header{}, fmt.Errorf("PROXY header, version 1: %q is not TCP4, TCP6 or UNKNOWN with two addresses and two ports", line)
	}
	if h.Client, err = parseEnd(words[1], words[2], words[4]); err == nil {
		h.Called, err = parseEnd(words[1], words[3], words[5])
	}
	if err != nil {
		return Header{}, fmt.Errorf("PROXY header, version 1: %w", err)
	}
	return h, nil
}

// parseEnd reads an address and a port, which have one spelling: no leading zeros.
func parseEnd(family, address, port string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is4() != (family == "TCP4") || addr.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address of %s", address, family)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port", port)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

// Version 2: commands, and families with their transport.
const (
	version2 = 0x20
	local    = 0x0
	proxied  = 0x1

	unspecified = 0x00
	tcp4        = 0x11
	tcp6        = 0x21
)

// read2 reads a header of version 2. buf has all but the last byte of its fixed
// part. What follows the addresses (types, lengths, values) is passed over.
func read2(r Peeker, buf []byte) (h Header, err error) {
	buf = buf[:fixed2]
	if _, err := io.ReadFull(r, buf[shortest:]); err != nil {
		return Header{}, cut(err)
	}
	kind, family := buf[len(signature)], buf[len(signature)+1]
	size := int(binary.BigEndian.Uint16(buf[len(signature)+2:]))
	if kind != version2|local && kind != version2|proxied {
		return Header{}, fmt.Errorf("PROXY header, version 2: unknown version and command %#02x", kind)
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(r, rest); err != nil {
		return Header{}, cut(err)
	}
	width := 4
	switch {
	case kind == version2|local, family == unspecified:
		return Header{}, nil
	case family == tcp6:
		width = 16
	case family != tcp4:
		return Header{}, fmt.Errorf("PROXY header, version 2: unknown family and transport %#02x", family)
	}
	if size < 2*width+4 {
		return Header{}, fmt.Errorf("PROXY header, version 2: %d bytes are too few for the addresses of family %#02x", size, family)
	}
	end := func(n int) netip.AddrPort {
		addr, _ := netip.AddrFromSlice(rest[n*width : (n+1)*width])
		return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(rest[2*width+2*n:]))
	}
	return Header{Client: end(0), Called: end(1)}, nil
}
