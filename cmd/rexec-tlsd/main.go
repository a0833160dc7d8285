// Command rexec-tlsd speaks TLS with one client of in.rexecd -tls, which starts it
// and gives it the connections: see in.rexecd(8), "TLS". It runs as an account of
// its own, and knows nothing of the protocol that it carries.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

var version = "devel"

// Descriptors that in.rexecd passes; package relay has the other side.
const (
	controlFd = 3 + iota
	outerFd
	innerFd
	certificateFd
	keyFd
	clientCAFd
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// options are the flags, all of them internal.
type options struct {
	uid, gid int
	minimum  string
	patience time.Duration
	clientCA bool
}

func main() {
	// Passwords pass through here: no core dump, no ptrace.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	var o options
	f := flag.NewFlagSet("rexec-tlsd", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.uid, "uid", -1, "")
	f.IntVar(&o.gid, "gid", -1, "")
	f.StringVar(&o.minimum, "minimum", "1.2", "")
	f.DurationVar(&o.patience, "patience", time.Minute, "")
	f.BoolVar(&o.clientCA, "client-ca", false, "")
	shown, files := f.Bool("version", false, ""), f.Bool("show", false, "")
	err := f.Parse(os.Args[1:])
	switch {
	case *shown:
		fmt.Println("rexec-tlsd", version)
		return
	case *files && err == nil:
		if err := show(os.Stdout, f.Args()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitError)
		}
		return
	}
	kind, e := unix.GetsockoptInt(controlFd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || e != nil || kind != unix.SOCK_SEQPACKET {
		fmt.Fprintln(os.Stderr, "rexec-tlsd is started by in.rexecd -tls, for each connection: see in.rexecd(8)")
		os.Exit(exitUsage)
	}
	closeRest()
	os.Exit(serve(o))
}

// closeRest closes what the super-server, or a PAM module, has left open. Nothing of
// this program's own is open yet.
func closeRest() {
	if unix.CloseRange(clientCAFd+1, 1<<31-1, 0) != nil {
		for fd := clientCAFd + 1; fd < 1024; fd++ { // a kernel before 5.9
			unix.Close(fd)
		}
	}
}

// serve relays the connections of one client. Nothing of theirs is read before this
// process has no more rights than it needs.
func serve(o options) int {
	c := &control{fd: controlFd}
	config, err := load(o)
	if err != nil {
		c.report(broken, err.Error())
		return exitError
	}
	if err := confine(o.uid, o.gid); err != nil {
		c.report(broken, err.Error())
		return exitError
	}
	s := newSession(config, c, o.patience)
	s.begin(outerFd, innerFd)
	s.obey()
	s.links.Wait()
	return exitOK
}

// load reads the files that in.rexecd has passed.
func load(o options) (*tls.Config, error) { return loadFiles(certificateFd, keyFd, clientCAFd, o) }

// loadFiles reads the certificate, the key and the clients' authority, and closes them.
func loadFiles(certificateFd, keyFd, clientCAFd int, o options) (*tls.Config, error) {
	config := &tls.Config{
		// In the place of the name of a protocol, so that nothing a browser was made to
		// send is taken for a request (ALPACA). Clients need not send one.
		NextProtos: []string{"rexec"},
		// One handshake for each connection: a ticket would be good for nothing, as each
		// of these processes has keys of its own, and its data comes too early.
		SessionTicketsDisabled: true,
		// Records of one size: the first are no more urgent than the rest.
		DynamicRecordSizingDisabled: true,
	}
	certificate, err := readAll(certificateFd, "certificate")
	if err != nil {
		return nil, err
	}
	key, err := readAll(keyFd, "key")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	clear(key)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	switch o.minimum {
	case "1.2":
		config.MinVersion = tls.VersionTLS12
	case "1.3":
		config.MinVersion = tls.VersionTLS13
	default:
		return nil, fmt.Errorf("minimum = %q: there is 1.2 and 1.3", o.minimum)
	}
	if o.clientCA {
		if config.ClientCAs, err = readPool(clientCAFd); err != nil {
			return nil, err
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// readAll reads one of the files, of a bounded size, and closes it.
func readAll(fd int, what string) ([]byte, error) {
	const most = 1 << 20
	f := os.NewFile(uintptr(fd), what)
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = errors.New("more than a megabyte")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return b, nil
}
