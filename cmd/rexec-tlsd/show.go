package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// show prints what rexecd -check reports of the files: the certificate's names and its
// last day.
func show(out io.Writer, files []string) error {
	paths := [3]string{}
	copy(paths[:], files)
	var fds [3]int
	for i, path := range paths {
		if path == "" {
			continue
		}
		var err error
		if fds[i], err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
	config, err := loadFiles(fds[0], fds[1], fds[2], options{minimum: "1.2", clientCA: paths[2] != ""})
	if err != nil {
		return fmt.Errorf("%s, %s: %w", paths[0], paths[1], err)
	}
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		return err
	}
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return fmt.Errorf("%s names no host (subjectAltName): clients refuse it", paths[0])
	}
	last := leaf.NotAfter
	for _, der := range config.Certificates[0].Certificate[1:] { // the chain's ends with its first
		if c, err := x509.ParseCertificate(der); err == nil && c.NotAfter.Before(last) {
			last = c.NotAfter
		}
	}
	_, err = fmt.Fprintf(out, "%s\t%s\n", printable(strings.Join(names, ", ")), last.UTC().Format(time.DateOnly))
	return err
}
