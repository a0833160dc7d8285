package main

import (
	"os"

	"rexecd/pkg/rexecd"
	"rexecd/pkg/settings"
)

// server makes a server of the settings file and the flags, which have the last word.
func (o options) server() (rexecd.Config, error) {
	set, _, err := settings.ReadServer(o.config)
	if err != nil {
		return rexecd.DefaultConfig(), err
	}
	c := rexecd.NewConfig(set)
	if os.Geteuid() != 0 {
		c.Penalties = nil // there is nobody but the invoking user to guess, and /run is root's
	}
	if o.closeOnExit {
		c.OnExit = rexecd.Shutdown
	}
	if o.noKeepAlive {
		c.KeepAlive.On = false
	}
	if o.noRoot {
		c.PermitRoot = false
	}
	return c, nil
}
