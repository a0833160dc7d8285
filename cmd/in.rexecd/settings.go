package main

import (
	"os"

	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
	"rexecd/pkg/rexecd"
	"rexecd/pkg/session"
	"rexecd/pkg/settings"
)

// service is the PAM service name: /etc/pam.d/rexec, as everywhere.
const service = "rexec"

// server makes a server of the settings file and the flags, which have the last word.
func (o options) server() (*rexecd.Server, error) {
	set, _, err := settings.ReadServer(o.config)
	if err != nil {
		return nil, err
	}
	s := newServer(set)
	if os.Geteuid() != 0 {
		s.Penalties = nil // there is nobody but the invoking user to guess, and /run is root's
	}
	s.CloseOnExit = s.CloseOnExit || o.closeOnExit
	s.NoKeepAlive = s.NoKeepAlive || o.noKeepAlive
	return s, nil
}

// newServer gives the settings to the server.
func newServer(set *settings.Server) *rexecd.Server {
	s := &rexecd.Server{
		PAM:                 login.Config{Service: service},
		Grace:               set.Grace,
		PermitRoot:          set.PermitRoot,
		PermitEmptyPassword: set.PermitEmptyPassword,
		LogCommand:          set.LogCommand,
		LoginShell:          set.LoginShell,
		StderrMinPort:       set.Stderr.MinPort,
		NoStderr:            !set.Stderr.Allow,
		NoKeepAlive:         !set.KeepAlive.Enabled,
		HangupOnLoss:        set.OnDisconnect == settings.Hangup,
		CloseOnExit:         set.CloseOnExit,
	}
	if set.KeepCapabilities != settings.AllCapabilities {
		keep := session.Capabilities(set.KeepCapabilities)
		s.KeepCapabilities = &keep
	}
	if set.Penalties.Enabled {
		s.Penalties = newPenalties(set.Penalties)
	}
	return s
}

func newPenalties(set settings.Penalties) *penalty.Table {
	t := penalty.Default() // for the directory
	t.Amount[penalty.AuthFail] = set.AuthFail
	t.Amount[penalty.NoAuth] = set.NoAuth
	t.Amount[penalty.GraceExceeded] = set.GraceExceeded
	t.Amount[penalty.Protocol] = set.Protocol
	t.Min, t.Max = set.Min, set.Max
	t.Exempt = set.Exempt
	t.Bits4, t.Bits6 = set.IPv4Bits, set.IPv6Bits
	return t
}
