package rexecd

import (
	"net/netip"
	"time"

	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
	"rexecd/pkg/places"
	"rexecd/pkg/policy"
	"rexecd/pkg/session"
	"rexecd/pkg/settings"
)

// A Config is the settings of rexecd.toml(5), with its meanings.
type Config struct {
	PAM   login.Config // its service is this server's name in the rules, too
	Trust bool         // rsh's logins without a password

	Grace        time.Duration // from the start to the command
	RefusalDelay time.Duration // from the complete request to the answer, for a refused login

	names               names
	PermitRoot          bool
	PermitEmptyPassword bool
	LogCommand          bool
	LoginShell          bool

	Stderr       Stderr
	Proxy        Proxy
	TLS          TLS
	KeepAlive    KeepAlive
	OnDisconnect OnDisconnect
	OnExit       OnExit

	sessions         sessions
	Single           *Single // the only user whom this server knows; nil: PAM is asked
	guests           guests
	Trace            []netip.Prefix // peers whose every step goes to the log
	Exit             Exit
	Rules            policy.Rules          // of who may run what; none: everybody anything
	Penalties        *penalty.Table        // nil: nobody is penalised
	KeepCapabilities *session.Capabilities // while the command runs and the session is closed; nil: all
}

// Stderr determines which stderr connections are made.
type Stderr struct {
	Allow   bool
	MinPort int
	// OwnHost connects to this host's own ports for whoever asks. Without it the
	// client's own process must be listening there: a relay on this host
	// (stunnel, ssh -L) would otherwise let strangers scan its ports.
	OwnHost bool
}

// Proxy determines who is behind a connection.
type Proxy struct {
	From     []netip.Prefix // proxies: their connections begin with a PROXY header
	noStderr bool           // none is made to their clients
}

// KeepAlive is TCP's on both connections. Idle is the silence after which the
// peer is probed, 0 the kernel's own setting.
type KeepAlive struct {
	On   bool
	Idle time.Duration
}

// OnDisconnect is what a client's disappearance does to its command.
type OnDisconnect int

// What a command is done to when its client vanishes.
const (
	Continue OnDisconnect = iota
	Hangup                // SIGHUP to its process group
)

// OnExit is what a command's end does to the connections.
type OnExit int

// What becomes of connections that background processes still have.
const (
	Leave OnExit = iota // to whoever has them
	Shutdown
)

// NewConfig gives the settings of a file their meaning.
func NewConfig(set *settings.Server) Config {
	c := Config{
		PAM:                 login.Config{Service: "rexec"}, // /etc/pam.d/rexec, as everywhere
		Grace:               set.Grace,
		RefusalDelay:        set.RefusalDelay,
		names:               names{fold: set.FoldUser, domain: set.DomainUser},
		PermitRoot:          set.PermitRoot,
		PermitEmptyPassword: set.PermitEmptyPassword,
		LogCommand:          set.LogCommand,
		LoginShell:          set.LoginShell,
		Stderr:              Stderr{Allow: set.Stderr.Allow, MinPort: set.Stderr.MinPort, OwnHost: set.Stderr.OwnHost},
		KeepAlive:           KeepAlive{On: set.KeepAlive.Enabled, Idle: set.KeepAlive.Idle},
	}
	c.sessions = sessions{dir: places.Dir, most: set.Sessions, perUser: set.SessionsPerUser}
	c.guests = guests{
		name: set.Guest.Name, accounts: set.Guest.Accounts, from: set.Guest.From,
		passwordAccounts: set.Guest.PermitPasswordAccounts,
	}
	c.Trace = set.Trace
	c.TLS = TLS{
		Certificate: set.TLS.Certificate, Key: set.TLS.Key, ClientCA: set.TLS.ClientCA,
		Minimum: string(set.TLS.Minimum),
	}
	c.Proxy = Proxy{From: set.Proxy.From, noStderr: set.Proxy.Stderr == settings.ProxyStderrNo}
	c.Exit = Exit{Program: set.Exit, User: set.ExitUser}
	if set.OnDisconnect == settings.Hangup {
		c.OnDisconnect = Hangup
	}
	if set.CloseOnExit {
		c.OnExit = Shutdown
	}
	if set.KeepCapabilities != settings.AllCapabilities {
		keep := session.Capabilities(set.KeepCapabilities)
		c.KeepCapabilities = &keep
	}
	if set.Penalties.Enabled {
		c.Penalties = newPenalties(&set.Penalties)
	}
	return c
}

// NewRshConfig is NewConfig for rsh.
func NewRshConfig(set *settings.Server) Config {
	c := NewConfig(set)
	c.PAM.Service, c.Trust = "rsh", set.Rsh.Trust // /etc/pam.d/rsh, as everywhere
	return c
}

func newPenalties(set *settings.Penalties) *penalty.Table {
	t := &penalty.Table{Dir: penalty.Dir, Min: set.Min, Max: set.Max, Exempt: set.Exempt, Shared: set.Shared,
		Bits4: set.IPv4Bits, Bits6: set.IPv6Bits}
	t.Amount[penalty.AuthFail] = set.AuthFail
	t.Amount[penalty.NoAuth] = set.NoAuth
	t.Amount[penalty.GraceExceeded] = set.GraceExceeded
	t.Amount[penalty.Protocol] = set.Protocol
	return t
}
