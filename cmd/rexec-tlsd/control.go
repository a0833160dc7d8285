package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// control is the talk with in.rexecd, in messages. It is not given to Go's poller: a
// thread waits in it.
type control struct{ fd int }

// Letters of reports: package relay has the other side.
const (
	done   = 'D'
	failed = 'F'
	broken = 'C'
)

// report reports on a handshake. What a peer sent may be in the words of a failure.
func (c *control) report(kind byte, words ...string) {
	message := []byte{kind}
	for _, word := range words {
		if kind != done {
			word = printable(word)
		}
		message = append(append(message, word...), 0)
	}
	_ = unix.Sendto(c.fd, message, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil) // it has gone: obey notices
}

// printable bounds a word, and escapes what a line of a log does not have.
func printable(word string) string {
	const most = 300
	word = strings.ToValidUTF8(word, "?")
	quoted := strconv.Quote(word[:min(len(word), most)])
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// What in.rexecd says.
type order struct {
	word byte  // 0: it has gone
	fds  []int // with 'E'
}

// next waits for an order.
func (c *control) next() order {
	var buf [8]byte
	oob := make([]byte, unix.CmsgSpace(2*4))
	for {
		n, on, _, _, err := unix.Recvmsg(c.fd, buf[:], oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n == 0:
			return order{}
		}
		o := order{word: buf[0]}
		if messages, err := unix.ParseSocketControlMessage(oob[:on]); err == nil && len(messages) == 1 {
			o.fds, _ = unix.ParseUnixRights(&messages[0])
		}
		return o
	}
}

// How long what is under way may still take when in.rexecd has gone before there was
// a command: the refusal is in these buffers.
const partingTime = 5 * time.Second

// obey does what in.rexecd says until it has no more to say.
func (s *session) obey() {
	for released := false; ; {
		switch o := s.control.next(); {
		case o.word == 0 && !released:
			s.part(partingTime)
			return
		case o.word == 0:
			return
		case o.word == 'E' && len(o.fds) == 2:
			s.begin(o.fds[0], o.fds[1])
		case o.word == 'S', o.word == 'H':
			released = true
			s.release(o.word == 'H')
		}
	}
}

func readPool(fd int) (*x509.CertPool, error) {
	text, err := readAll(fd, "client_ca")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("client_ca: %w", errors.New("no certificate in PEM"))
	}
	return pool, nil
}
