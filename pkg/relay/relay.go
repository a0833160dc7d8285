// Package relay starts rexec-tlsd, the process that speaks TLS with a client so that
// in.rexecd need not, and talks to it. Nothing of TLS is in this package.
//
// They talk over a socket that keeps messages apart. To the relay go an 'E' with two
// descriptors, the stderr connection and the stream in its place, and an 'S' or 'H'
// once the command runs. From it comes one report for each connection: a letter, and
// words that end in a NUL.
package relay

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Config is what a relay is started with. The files are opened here, with this
// process's rights, for each connection: the relay has none.
type Config struct {
	Path             string // of rexec-tlsd
	UID, GID         int    // what the relay becomes; -1: it stays what this process is
	Certificate, Key string // files
	ClientCA         string // file; empty: no client certificate is asked for
	Minimum          string // TLS version, "1.2" or "1.3"
}

// A Relay stands between a client and this process.
type Relay struct{ control int }

// Descriptors of the relay.
const (
	nullFds = 3 // 0, 1 and 2 are /dev/null; then control, outer, inner, and the files
)

// A FileError is a certificate or a key that cannot be used.
type FileError struct{ Err error }

func (e *FileError) Error() string { return e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// Start starts a relay for a connection, outer, which it passes on to inner. The
// handshake may take until the deadline. Both descriptors stay the caller's.
func Start(c *Config, outer, inner int, deadline time.Time) (*Relay, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	files := []int{null, null, null, -1, outer, inner}
	opened := len(files)
	defer func() {
		unix.Close(null)
		for _, fd := range files[opened:] {
			if fd != null {
				unix.Close(fd)
			}
		}
	}()
	for _, open := range []func() (int, error){c.openCertificate, c.openKey, c.openClientCA} {
		fd, err := open()
		if err != nil {
			return nil, &FileError{err}
		}
		if fd < 0 {
			fd = null
		}
		files = append(files, fd)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[1])
	files[nullFds] = pair[1]
	fds := make([]uintptr, len(files))
	for i, fd := range files {
		fds[i] = uintptr(fd)
	}
	argv := []string{"rexec-tlsd", "-uid", strconv.Itoa(c.UID), "-gid", strconv.Itoa(c.GID), "-minimum", c.Minimum,
		"-patience", max(time.Until(deadline), 0).String(), "-client-ca=" + strconv.FormatBool(c.ClientCA != "")}
	_, err = syscall.ForkExec(c.Path, argv, &syscall.ProcAttr{Dir: "/", Files: fds})
	if err != nil {
		unix.Close(pair[0])
		return nil, &os.PathError{Op: "start", Path: c.Path, Err: err}
	}
	return &Relay{pair[0]}, nil
}

func (c *Config) openCertificate() (int, error) { return open("certificate", c.Certificate, writable) }

// openKey opens the key, which others must not be able to read.
func (c *Config) openKey() (int, error) { return open("key", c.Key, 0o007) }

// writable is the mode of what anybody could put another authority into.
const writable = 0o002

func (c *Config) openClientCA() (int, error) {
	if c.ClientCA == "" {
		return -1, nil
	}
	return open("client_ca", c.ClientCA, writable)
}

// open opens a regular file of root's or this process's own, whose mode has none of the
// bits.
func open(what, path string, not uint32) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("tls.%s: %w", what, &os.PathError{Op: "open", Path: path, Err: err})
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		switch {
		case st.Mode&unix.S_IFMT != unix.S_IFREG:
			err = errors.New("not a regular file")
		case st.Mode&not != 0:
			err = fmt.Errorf("mode %#o lets others read or change it: chmod o= %s", st.Mode&0o7777, path)
		case st.Uid != 0 && int(st.Uid) != os.Geteuid():
			err = fmt.Errorf("it belongs to user %d, who can read and change it: chown root %s", st.Uid, path)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("tls.%s = %q: %w", what, path, err)
	}
	return fd, nil
}

// A Report is about a handshake that succeeded.
type Report struct {
	Version     string // as in "TLS 1.3"
	Certificate string // the common name of the client's; empty: it has none
}

// Letters of reports.
const (
	done   = 'D'
	failed = 'F' // the peer's handshake
	broken = 'C' // the certificate or the key
)

// ErrGone is a relay that ended without a report.
var ErrGone = errors.New("rexec-tlsd ended without a report")

// Report waits for the end of the handshake on the connection that the relay got last.
func (r *Relay) Report(deadline time.Time) (Report, error) {
	var buf [4096]byte // more than the relay sends
	n, err := r.receive(buf[:], deadline)
	switch {
	case err != nil:
		return Report{}, err
	case n == 0:
		return Report{}, ErrGone
	}
	words := strings.Split(string(buf[1:n]), "\x00")
	switch {
	case buf[0] == done && len(words) == 3:
		return Report{words[0], words[1]}, nil
	case buf[0] == failed:
		return Report{}, fmt.Errorf("TLS handshake: %s", words[0])
	case buf[0] == broken:
		return Report{}, &FileError{errors.New(words[0])}
	}
	return Report{}, fmt.Errorf("rexec-tlsd reported %q", buf[:n])
}

func (r *Relay) receive(buf []byte, deadline time.Time) (int, error) {
	fds := []unix.PollFd{{Fd: int32(r.control), Events: unix.POLLIN}}
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return 0, fmt.Errorf("TLS handshake: %w", os.ErrDeadlineExceeded)
		}
		switch n, err := unix.Poll(fds, int(left/time.Millisecond)+1); {
		case err == unix.EINTR || n == 0 && err == nil:
			continue
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		}
		n, _, err := unix.Recvfrom(r.control, buf, unix.MSG_DONTWAIT)
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN, unix.EINTR:
		case unix.ECONNRESET:
			return 0, nil
		default:
			return 0, os.NewSyscallError("recv", err)
		}
	}
}

// Add gives the relay another connection of the same client's. Both descriptors stay
// the caller's.
func (r *Relay) Add(outer, inner int) error {
	rights := unix.UnixRights(outer, inner)
	return os.NewSyscallError("sendmsg", unix.Sendmsg(r.control, []byte("E"), rights, nil, unix.MSG_NOSIGNAL))
}

// Release leaves the relay to itself, until its connections have ended: a command has
// them now. With hangUp it finds out whether a client that has ended its input is
// still there.
func (r *Relay) Release(hangUp bool) {
	if r == nil || r.control < 0 {
		return
	}
	word := []byte("S")
	if hangUp {
		word = []byte("H")
	}
	_ = unix.Sendto(r.control, word, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil) // fails only if it has ended
	r.Close()
}

// Close gives the relay up: it passes on what it has, for some seconds, and ends.
func (r *Relay) Close() {
	if r != nil && r.control >= 0 {
		unix.Close(r.control)
		r.control = -1
	}
}
