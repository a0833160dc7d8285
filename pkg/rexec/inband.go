package rexec

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// inbandRefusals are sent after the status byte 0 by servers that find out too
// late: BSD's and netkit's enter the home directory, and old ones fork, after
// they have accepted. They come on the connection that is the command's
// standard error at that moment.
var inbandRefusals = [...]string{
	"\x01No remote directory.\n",
	"\x01No remote directory.\r\n",
	"\x01Try again.\n",
	"\x01rexecd: No remote directory.\n",
}

// readInband reads from r into buf while what comes could be a refusal and
// nothing else. It gives what it read, and whether it is one: the complete stream,
// to the end of file, is its text. Anything longer or different is the
// command's own output that happens to begin with byte 1. So is a beginning that
// stays one for a moment: the command may wait for an answer to it.
func readInband(r io.Reader, buf []byte, setDeadline func(time.Time) error) (read []byte, refusal bool, err error) {
	for {
		n, err := r.Read(buf[len(read):])
		read = buf[:len(read)+n]
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return read, false, setDeadline(time.Time{})
		}
		if !beginsInband(read) {
			if e := setDeadline(time.Time{}); err == nil {
				err = e
			}
			return read, false, err
		}
		if err != nil {
			return read, err == io.EOF && isInband(read), err
		}
		var until time.Time // a complete one waits for its end of file
		if !isInband(read) {
			until = time.Now().Add(aMoment)
		}
		if err := setDeadline(until); err != nil {
			return read, false, err
		}
	}
}

func beginsInband(read []byte) bool {
	if len(read) > 64 {
		return false // longer than any
	}
	for _, refusal := range inbandRefusals {
		if strings.HasPrefix(refusal, string(read)) {
			return true
		}
	}
	return false
}

// isInband reports whether all of it is there.
func isInband(read []byte) bool { return slices.Contains(inbandRefusals[:], string(read)) }
