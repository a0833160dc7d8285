package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"rexecd/pkg/rexec"
	"rexecd/pkg/settings"
)

// tlsPort is where rexec-tls.socket listens: no port is assigned to it.
const tlsPort = 10512

// completeTLS fills in from the settings what the command line left open, and reads
// the files.
func (o *options) completeTLS(set *settings.Client) error {
	host := set.TLSOf(strings.TrimSuffix(strings.TrimPrefix(o.host, "["), "]"))
	if !o.tls && !host.Use {
		return nil
	}
	if o.port == 0 {
		o.port = tlsPort
	}
	config := &tls.Config{ServerName: cmp.Or(o.tlsName, host.Name)}
	if file := cmp.Or(o.tlsCA, host.CA); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("--tls-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("--tls-ca: %s has no certificate in PEM", file)
		}
	}
	cert, key := cmp.Or(o.tlsCert, host.Cert), cmp.Or(o.tlsKey, host.Key)
	if (cert == "") != (key == "") {
		return errors.New("--tls-cert and --tls-key: a certificate is shown with its key")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	o.tlsConfig = config
	return nil
}

// explainTLS describes what went wrong with TLS; "" if it was not that.
func explainTLS(o *options, err error) (text, hint string) {
	const nothing = "; nothing was sent"
	if unknown, ok := as[x509.UnknownAuthorityError](err); ok {
		who := ""
		if unknown.Cert != nil {
			who = fmt.Sprintf(" (%s)", rexec.Printable(unknown.Cert.Issuer.String()))
		}
		return "no known authority has signed the server's certificate" + who + nothing, "--tls-ca names a file with the authority's certificate"
	}
	if name, ok := as[x509.HostnameError](err); ok {
		return rexec.Printable(name.Error()) + nothing, "--tls-name gives the name in the server's certificate, if it is the right server"
	}
	if invalid, ok := as[x509.CertificateInvalidError](err); ok {
		return rexec.Printable(invalid.Error()) + nothing, "the server needs another certificate: rexecd -check there shows its last day"
	}
	if _, ok := as[tls.RecordHeaderError](err); ok {
		return fmt.Sprintf("the server does not speak TLS on port %d%s", o.port, nothing), "-P chooses another port"
	}
	if alert, ok := as[*net.OpError](err); ok && alert.Op == "remote error" { // crypto/tls' name for one
		return fmt.Sprintf("the server ended TLS: %s", strings.TrimPrefix(alert.Err.Error(), "tls: ")), "it may demand a certificate (--tls-cert, --tls-key); its log has the reason"
	}
	if errors.Is(err, rexec.ErrTruncated) {
		return rexec.ErrTruncated.Error(), ""
	}
	return "", ""
}
