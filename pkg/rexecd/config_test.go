package rexecd

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
	"rexecd/pkg/places"
	"rexecd/pkg/session"
	"rexecd/pkg/settings"
)

func TestEverySettingReachesTheServer(t *testing.T) {
	if got := DefaultConfig(); got.KeepCapabilities != nil || got.Penalties == nil || !got.Stderr.Allow ||
		got.OnExit != Leave || got.OnDisconnect != Continue {
		t.Errorf("the defaults are %+v", got)
	}
	keep := session.Capabilities(1 << 21)
	one, two := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, []netip.Prefix{netip.MustParsePrefix("192.0.3.0/24")}
	set := &settings.Server{
		Grace: time.Hour, RefusalDelay: time.Second, PermitRoot: true, PermitEmptyPassword: true,
		LogCommand: true, LoginShell: true,
		Stderr:       settings.Stderr{Allow: true, MinPort: 7, OwnHost: true},
		TLS:          settings.TLS{Certificate: "/c", Key: "/k", ClientCA: "/a", Minimum: settings.TLS13},
		Proxy:        settings.Proxy{From: one, Stderr: settings.ProxyStderrNo},
		KeepAlive:    settings.KeepAlive{Enabled: true, Idle: time.Minute},
		OnDisconnect: settings.Hangup, CloseOnExit: true, KeepCapabilities: 1 << 21,
		FoldUser: true, DomainUser: "%u@d", Sessions: 8, SessionsPerUser: 9, Exit: "/e", ExitUser: "x", Trace: two,
		Guest: settings.Guest{Name: "g", Accounts: []string{"a"}, From: one, PermitPasswordAccounts: true},
		Rsh:   settings.Rsh{Trust: true},                       // for rsh alone
		Rules: []settings.Rule{{}}, Tests: []settings.Test{{}}, // rules.New is what they mean
		Penalties: settings.Penalties{Enabled: true, AuthFail: 1, NoAuth: 2, GraceExceeded: 3, Protocol: 4,
			Min: 5, Max: 6, Exempt: one, Shared: two, IPv4Bits: 8, IPv6Bits: 9},
	}
	table := &penalty.Table{Dir: penalty.Dir, Min: 5, Max: 6, Exempt: one, Shared: two, Bits4: 8, Bits6: 9}
	table.Amount[penalty.AuthFail], table.Amount[penalty.NoAuth] = 1, 2
	table.Amount[penalty.GraceExceeded], table.Amount[penalty.Protocol] = 3, 4
	want := Config{
		PAM: login.Config{Service: "rexec"}, Grace: time.Hour, RefusalDelay: time.Second, PermitRoot: true,
		PermitEmptyPassword: true, LogCommand: true, LoginShell: true,
		Stderr: Stderr{Allow: true, MinPort: 7, OwnHost: true}, KeepAlive: KeepAlive{On: true, Idle: time.Minute},
		OnDisconnect: Hangup, OnExit: Shutdown, KeepCapabilities: &keep, Penalties: table,
		names: names{fold: true, domain: "%u@d"}, sessions: sessions{dir: places.Dir, most: 8, perUser: 9},
		Exit: Exit{Program: "/e", User: "x"}, Trace: two, Proxy: Proxy{From: one, noStderr: true},
		TLS:    TLS{Certificate: "/c", Key: "/k", ClientCA: "/a", Minimum: "1.3"},
		guests: guests{name: "g", accounts: []string{"a"}, from: one, passwordAccounts: true},
	}
	if got := NewConfig(set); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, penalties %+v; want %+v, %+v", got, got.Penalties, want, want.Penalties)
	}
	want.PAM.Service, want.Trust = "rsh", true
	if got := NewRshConfig(set); !reflect.DeepEqual(got, want) {
		t.Errorf("rsh's: got %+v; want %+v", got, want)
	}
	// Nothing is left out above, so that a new setting cannot be forgotten here.
	for _, table := range []any{*set, set.Penalties, set.Guest, set.Stderr, set.Proxy, set.TLS, set.KeepAlive} {
		v := reflect.ValueOf(table)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s has no value in this test", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
	if got := NewConfig(&settings.Server{}); got.Penalties != nil {
		t.Error("penalties are given although they are not enabled")
	}
}
