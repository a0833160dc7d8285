module rexecd

go 1.26.0

require (
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/msteinert/pam/v2 v2.1.0
	github.com/pelletier/go-toml/v2 v2.4.3
	golang.org/x/sys v0.49.0
)

require golang.org/x/term v0.47.0

require (
	github.com/rogpeppe/go-internal v1.16.0
	golang.org/x/tools v0.26.0 // indirect
)
