package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// commonName is the name in a client's certificate, which rules match and the log has:
// one, in characters that both can show, of the length that X.509 has for it (RFC 5280,
// ub-common-name). Any other would be taken for what it is not.
func commonName(c *x509.Certificate) (string, error) {
	const most = 64
	names := 0
	for _, attribute := range c.Subject.Names {
		if attribute.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) {
			names++
		}
	}
	name := c.Subject.CommonName
	switch {
	case names != 1 || name == "":
		return "", fmt.Errorf("the certificate's subject has %d common names; it must have one", names)
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > most || strings.ContainsFunc(name, hidden):
		return "", fmt.Errorf("the certificate's common name %.300q is longer than %d characters, or has some that cannot be shown", name, most)
	}
	return name, nil
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

// sameClient has every connection of a session come with one certificate.
func (s *session) sameClient(c *tls.Conn) error {
	certificates := c.ConnectionState().PeerCertificates
	if len(certificates) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := commonName(certificates[0]); err != nil {
		return err
	}
	if s.first == nil {
		s.first = certificates[0].Raw
	}
	if !bytes.Equal(s.first, certificates[0].Raw) {
		return errors.New("the certificate is not that of the first connection")
	}
	return nil
}
