module rexecd

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	github.com/msteinert/pam/v2 v2.1.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
