package settings

import "github.com/pelletier/go-toml/v2/unstable"

// TLS is the table [tls], for in.rexecd -tls.
type TLS struct {
	Certificate string // files in PEM
	Key         string
	ClientCA    string // empty: no client certificate is asked for
	Minimum     TLSVersion
}

// TLSVersion is a version of the protocol.
type TLSVersion string

// The values of TLSVersion.
const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

func defaultTLS() TLS {
	return TLS{Certificate: "/etc/rexecd/tls.crt", Key: "/etc/rexecd/tls.key", Minimum: TLS12}
}

func (t *TLS) keys() table {
	return table{
		{name: "certificate", value: pathValue{&t.Certificate, false}},
		{name: "key", value: pathValue{&t.Key, false}},
		{name: "client_ca", value: pathValue{&t.ClientCA, true}},
		{name: "minimum", value: choice(&t.Minimum, TLS12, TLS13)},
	}
}

// A pathValue is the absolute path of a file, or "" where there may be none.
type pathValue struct {
	field    *string
	optional bool
}

func (v pathValue) set(n *unstable.Node) *unstable.Node {
	path := string(n.Data)
	if n.Kind != unstable.String || (path == "" || path[0] != '/') && !(path == "" && v.optional) {
		return n
	}
	*v.field = path
	return nil
}

func (pathValue) allowed() string  { return `an absolute path, in quotes` }
func (v pathValue) String() string { return textValue{v.field}.String() }
