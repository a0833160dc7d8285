module rexecd

// Debian 13's and RHEL's. From 1.25 on, the runtime of a program that says so watches the cgroup's limit on processors, once
// a second with a goroutine; in.rexecd is shown one processor (package preinit): a test holds it.
go 1.24.0

require (
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/msteinert/pam/v2 v2.1.0
	github.com/pelletier/go-toml/v2 v2.4.3
	golang.org/x/sys v0.41.0
)

require golang.org/x/term v0.40.0

require (
	github.com/rogpeppe/go-internal v1.14.1
	golang.org/x/tools v0.26.0 // indirect
)
