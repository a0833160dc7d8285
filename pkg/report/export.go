package report

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// exportBegin is what the Journal Export Format begins with: systemd.io,
// "Journal Export Formats". journalctl writes it in half the time that JSON takes.
const exportBegin = "__CURSOR="

// longestField is how much of a field is kept. Commands have up to 128 KB, of which
// a report shows less.
const longestField = 16 << 10

// readExport reads entries, each of lines NAME=value, or NAME, a length of 64 bits,
// little-endian, and a value of any bytes; an empty line ends an entry.
func (t *Tally) readExport(r *bufio.Reader, progress func(time.Time)) error {
	var e entry
	var buf []byte
	for begun := false; ; {
		line, _, err := readLine(r, buf[:0])
		buf = line
		name, text, plain := bytes.Cut(line, []byte("="))
		switch {
		case len(line) > 0 && plain:
			begun = true
			e.set(string(name), value(text[:min(len(text), longestField)]))
		case len(line) > 0 && err == nil:
			var v value
			if v, err = readField(r); err == nil {
				e.set(string(name), v)
			}
		case begun && err == nil: // of an entry that is cut off, nothing counts
			t.lines++
			t.addEntry(&e)
			e, begun = entry{}, false
			if t.lines%often == 0 && progress != nil {
				progress(t.latest)
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read log: %w", err)
		}
	}
}

// readField reads the length and the value of a field, and the newline after it.
func readField(r *bufio.Reader) (value, error) {
	var size [8]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return "", cutOff(err)
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > 1<<30 {
		return "", errors.New("a field of the journal has no possible length")
	}
	v := make([]byte, min(n, longestField))
	if _, err := io.ReadFull(r, v); err != nil {
		return "", cutOff(err)
	}
	if _, err := r.Discard(int(n) - len(v) + 1); err != nil {
		return "", cutOff(err)
	}
	return value(v), nil
}

func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
