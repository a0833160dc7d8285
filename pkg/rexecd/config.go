package rexecd

import (
	"time"

	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
	"rexecd/pkg/session"
)

// A Config holds the settings of rexecd.toml(5), with its meanings.
type Config struct {
	PAM login.Config

	Grace        time.Duration // from the start to the command
	RefusalDelay time.Duration // from the complete request to the answer, for a refused login

	PermitRoot          bool
	PermitEmptyPassword bool
	LogCommand          bool
	LoginShell          bool

	Stderr       Stderr
	KeepAlive    KeepAlive
	OnDisconnect OnDisconnect
	OnExit       OnExit

	Penalties        *penalty.Table        // nil: nobody is penalised
	KeepCapabilities *session.Capabilities // while the command runs and the session is closed; nil: all
}

// Stderr says which stderr connections are made.
type Stderr struct {
	Allow   bool
	MinPort int
	// OwnHost connects to this host's own ports for whoever asks. Without it the
	// client's own process must be listening there: a relay on this host
	// (stunnel, ssh -L) would otherwise let strangers scan its ports.
	OwnHost bool
}

// KeepAlive is TCP's on both connections. Idle is the silence after which the
// peer is probed, 0 the kernel's own setting.
type KeepAlive struct {
	On   bool
	Idle time.Duration
}

// OnDisconnect says what a client's disappearance does to its command.
type OnDisconnect int

// What a command is done to when its client vanishes.
const (
	Continue OnDisconnect = iota
	Hangup                // SIGHUP to its process group
)

// OnExit says what a command's end does to the connections.
type OnExit int

// What becomes of connections that background processes still hold.
const (
	Leave OnExit = iota // to whoever holds them
	Shutdown
)

// DefaultConfig is what holds where rexecd.toml(5) sets nothing.
//
// KeepAlive: NAT gateways forget half-closed connections after a minute, and the
// kernel's own first probe comes after two hours. Interval and number of the
// probes stay the kernel's, so that an outage of ten minutes is survived.
// RefusalDelay: what pam_unix asks for.
func DefaultConfig() Config {
	return Config{
		PAM:          login.Config{Service: "rexec"},
		Grace:        60 * time.Second,
		RefusalDelay: 2 * time.Second,
		Stderr:       Stderr{Allow: true, MinPort: 1024},
		KeepAlive:    KeepAlive{On: true, Idle: 20 * time.Second},
		Penalties:    penalty.Default(),
	}
}
