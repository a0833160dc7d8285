// Command in.rexecd is the server for the rexec(3) protocol, started by inetd,
// xinetd or systemd once for each connection. See in.rexecd(8).
package main

import (
	"os"

	"rexecd/cmd/in.rexecd/handler"
	"rexecd/pkg/rexecd"
)

var version = "devel"

const usage = `usage: in.rexecd [-m] [-n] [-S] [-tls] [-config file]
                 started by inetd, xinetd, systemd or rexecd
       in.rexecd -version

  -m            shut the connections down when the command itself ends
  -n            no TCP keepalive
  -S            refuse root, whatever the settings say
  -tls          TLS on both connections
  -config file  settings other than /etc/rexecd.toml
  -c -D -s      accepted for compatibility, and ignored

Serves one connection; rexecd(8) installs, checks and supervises the service.
See in.rexecd(8) and rexecd.toml(5).
`

func main() {
	program := handler.Program{
		Name: "in.rexecd", Version: version, Usage: usage,
		TLSFlag: true,
		Ignored: []string{"c", "D", "s"}, // AIX, Fedora, HP-UX: about looking up peers' names
		Config:  rexecd.NewConfig, Serve: (*rexecd.Server).Serve, Decline: (*rexecd.Server).Decline,
	}
	os.Exit(program.Main())
}
