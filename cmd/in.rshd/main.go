// Command in.rshd is the server for the protocol of rsh(1) and rcmd(3), started by
// inetd, xinetd or systemd once for each connection. See in.rshd(8).
package main

import (
	"os"

	"rexecd/cmd/in.rexecd/handler"
	"rexecd/pkg/rexecd"
)

var version = "devel"

const usage = `usage: in.rshd [-l] [-m] [-n] [-S] [-config file]
               started by inetd, xinetd, systemd or rexecd
       in.rshd -version

  -l            no login without a password, whatever the settings say
  -m            shut the connections down when the command itself ends
  -n            no TCP keepalive
  -S            refuse root, whatever the settings say
  -config file  settings other than /etc/rexecd.toml
  -a -h -L -r   accepted for compatibility, and ignored

Serves one connection; rexecd(8) installs, checks and supervises the service.
See in.rshd(8) and rexecd.toml(5).
`

func main() {
	program := handler.Program{
		Name: "in.rshd", Version: version, Usage: usage,
		// BSD, netkit, GNU: about looking up peers' names, root's .rhosts, and the log.
		Ignored: []string{"a", "h", "L", "r"}, TrustFlag: true,
		Config: rexecd.NewRshConfig, Serve: (*rexecd.Server).ServeRsh, Decline: (*rexecd.Server).DeclineRsh,
	}
	os.Exit(program.Main())
}
