// Command rpmpaths gives the payload of rpm packages relative names, ./usr/sbin/rexecd, as rpmbuild writes them. With
// nfpm's absolute ones, `rpm2cpio package | cpio -id`, meant to unpack here, overwrites the files of the host.
//
// Names and digests keep their places in the headers: digests are replaced by others of the same length.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"
)

// Tags of the two headers (rpm's lib/rpmtag.h).
const (
	sigSHA256        = 273  // of the main header, in hex
	sigSize          = 1000 // of main header and payload
	sigPayloadSize   = 1007 // of the payload, uncompressed
	tagPayloadDigest = 5092 // SHA-256 of the payload as it is stored, in hex
	typeInt32        = 4
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: rpmpaths PACKAGE...")
		os.Exit(2)
	}
	for _, path := range os.Args[1:] {
		if err := rewrite(path); err != nil {
			fmt.Fprintf(os.Stderr, "rpmpaths: %s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func rewrite(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read package: %w", err)
	}
	text, err = relative(text)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write package: %w", err)
	}
	return nil
}

// relative returns the package with relative names in its payload.
func relative(pkg []byte) ([]byte, error) {
	const lead = 96
	if len(pkg) < lead {
		return nil, errors.New("read lead: shorter than 96 bytes")
	}
	signature, rest, err := cut(pkg[lead:])
	if err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	pad := (8 - len(signature.all)%8) % 8
	if len(rest) < pad {
		return nil, errors.New("read signature: no padding")
	}
	main, compressed, err := cut(rest[pad:])
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	in, err := xz.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	archive, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	if archive, err = relativeNames(archive); err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	var payload bytes.Buffer
	out, err := xz.NewWriter(&payload)
	if err == nil {
		_, err = out.Write(archive)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress payload: %w", err)
	}
	err = errors.Join(
		main.setDigest(tagPayloadDigest, payload.Bytes()),
		signature.setSize(sigPayloadSize, len(archive)),
		signature.setSize(sigSize, len(main.all)+payload.Len()))
	if err == nil {
		err = signature.setDigest(sigSHA256, main.all) // last: of the header with the payload's digest
	}
	if err != nil {
		return nil, err
	}
	return append(pkg[:len(pkg)-len(compressed):len(pkg)-len(compressed)], payload.Bytes()...), nil
}

// header is one header of a package: 16 bytes, an index with 16 bytes for each tag, and the values.
type header struct{ all, index, values []byte }

// cut returns the header that b begins with, which shares its bytes, and what follows.
func cut(b []byte) (header, []byte, error) {
	if len(b) < 16 || !bytes.Equal(b[:4], []byte{0x8e, 0xad, 0xe8, 0x01}) {
		return header{}, nil, errors.New("no header here")
	}
	tags, size := int(binary.BigEndian.Uint32(b[8:])), int(binary.BigEndian.Uint32(b[12:]))
	end := 16 + 16*tags + size
	if end > len(b) {
		return header{}, nil, fmt.Errorf("a header of %d bytes in %d", end, len(b))
	}
	return header{b[:end], b[16 : 16+16*tags], b[16+16*tags : end]}, b[end:], nil
}

// value returns the tag's type and the header's values from its first on.
func (h header) value(tag uint32) (uint32, []byte, error) {
	for e := h.index; len(e) > 0; e = e[16:] {
		if at := int(binary.BigEndian.Uint32(e[8:])); binary.BigEndian.Uint32(e) == tag && at < len(h.values) {
			return binary.BigEndian.Uint32(e[4:]), h.values[at:], nil
		}
	}
	return 0, nil, fmt.Errorf("find tag %d: not in the header", tag)
}

func (h header) setSize(tag uint32, n int) error {
	kind, value, err := h.value(tag)
	if err == nil && (kind != typeInt32 || len(value) < 4) {
		err = fmt.Errorf("set tag %d: not a number", tag)
	}
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(value, uint32(n))
	return nil
}

func (h header) setDigest(tag uint32, of []byte) error {
	sum := sha256.Sum256(of)
	_, value, err := h.value(tag)
	if err == nil && bytes.IndexByte(value, 0) != hex.EncodedLen(len(sum)) {
		err = fmt.Errorf("set tag %d: not a SHA-256 in hex", tag)
	}
	if err != nil {
		return err
	}
	hex.Encode(value, sum[:])
	return nil
}

// relativeNames rewrites an archive in cpio's format "newc": 110 bytes, the name, the contents, the last two padded to four.
func relativeNames(archive []byte) ([]byte, error) {
	const fixed, sizeAt, nameSizeAt = 110, 54, 94
	var out []byte
	for rest := archive; ; {
		if len(rest) < fixed || string(rest[:6]) != "070701" {
			return nil, fmt.Errorf("no entry at byte %d", len(archive)-len(rest))
		}
		size, err1 := strconv.ParseUint(string(rest[sizeAt:sizeAt+8]), 16, 31)
		nameSize, err2 := strconv.ParseUint(string(rest[nameSizeAt:nameSizeAt+8]), 16, 16)
		body := padded(fixed + int(nameSize))
		end := body + padded(int(size))
		if err1 != nil || err2 != nil || nameSize == 0 || end > len(rest) {
			return nil, fmt.Errorf("a broken entry at byte %d", len(archive)-len(rest))
		}
		name := string(rest[fixed : fixed+nameSize-1])
		last := name == "TRAILER!!!"
		if !last {
			name = "./" + strings.TrimPrefix(strings.TrimPrefix(name, "."), "/")
		}
		out = append(out, rest[:nameSizeAt]...)
		out = fmt.Appendf(out, "%08X", len(name)+1)
		out = append(out, rest[nameSizeAt+8:fixed]...)
		out = append(append(out, name...), 0)
		out = append(out, make([]byte, padded(len(out))-len(out))...) // entries begin at multiples of four
		out = append(out, rest[body:end]...)
		if rest = rest[end:]; last {
			return out, nil
		}
	}
}

func padded(n int) int { return (n + 3) &^ 3 }
