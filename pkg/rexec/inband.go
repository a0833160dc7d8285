package rexec

import (
	"bytes"
	"io"
)

// inbandRefusals are said after the status byte 0 by servers that find out too
// late: BSD's and netkit's enter the home directory, and old ones fork, after
// they have said yes. They come on the connection that is the command's
// standard error at that moment.
var inbandRefusals = [...]string{
	"\x01No remote directory.\n",
	"\x01No remote directory.\r\n",
	"\x01Try again.\n",
	"\x01rexecd: No remote directory.\n",
}

// readInband reads from r while what comes could be a refusal and nothing
// else. It gives what it read, and whether it is one: the whole stream, to
// the end of file, is its text. Anything longer or different is the command's
// own output that happens to begin with byte 1.
func readInband(r io.Reader) (read []byte, refusal bool, err error) {
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		if n == 1 {
			read = append(read, b[0])
			if !beginsInband(read) {
				return read, false, nil
			}
		}
		if err != nil {
			return read, err == io.EOF && isInband(read), err
		}
	}
}

func beginsInband(read []byte) bool {
	for _, refusal := range inbandRefusals {
		if len(read) <= len(refusal) && bytes.Equal(read, []byte(refusal[:len(read)])) {
			return true
		}
	}
	return false
}

func isInband(read []byte) bool {
	for _, refusal := range inbandRefusals {
		if string(read) == refusal {
			return true
		}
	}
	return false
}
