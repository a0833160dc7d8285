package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Certificates is a directory with an authority and what it has signed.
type Certificates struct {
	Dir string
	key *ecdsa.PrivateKey
	ca  *x509.Certificate
}

// NewCertificates makes an authority, in ca.crt.
func NewCertificates(t testing.TB) *Certificates {
	t.Helper()
	c := &Certificates{Dir: OpenDir(t)}
	c.key, c.ca = c.sign(t, "ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: "lab"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return c
}

// Server makes NAME.crt and NAME.key for servers, valid until a time, and returns settings that
// name them.
func (c *Certificates) Server(t testing.TB, name string, until time.Time, hosts ...string) string {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	c.sign(t, name, template)
	return "[tls]\ncertificate = \"" + c.Dir + "/" + name + ".crt\"\nkey = \"" + c.Dir + "/" + name + ".key\"\n"
}

// Client makes NAME.crt and NAME.key for clients, with that common name or another.
func (c *Certificates) Client(t testing.TB, name string, common ...string) {
	t.Helper()
	subject := name
	if common != nil {
		subject = common[0]
	}
	c.sign(t, name, &x509.Certificate{
		Subject: pkix.Name{CommonName: subject}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (c *Certificates) sign(
	t testing.TB, name string, template *x509.Certificate,
) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-48 * time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(48 * time.Hour)
	}
	signer, parent := c.key, c.ca
	if signer == nil {
		signer, parent = key, template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(c.Dir+"/"+name+file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key, made
}

var relayUser sync.Once

// ServeTLS starts the server under test with TLS, for 127.0.0.1, and returns the authority that has
// signed its certificate.
func ServeTLS(t testing.TB, h Handler) (*Listening, *Certificates) {
	t.Helper()
	AddRelayUser(t)
	c := NewCertificates(t)
	h.Settings += "\n" + c.Server(t, "server", time.Time{}, "127.0.0.1", "localhost", "::1")
	h.Args = append(h.Args, "-tls")
	return Serve(t, h), c
}

// AddRelayUser makes the account that the packages make.
func AddRelayUser(t testing.TB) {
	t.Helper()
	relayUser.Do(func() {
		if out, err := exec.Command("useradd", "-r", "-M", "-d", "/", "-s", "/usr/sbin/nologin", "rexec-tls").CombinedOutput(); err != nil {
			t.Logf("useradd: %v: %s", err, out)
		}
	})
}
