package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/login"
	"rexecd/pkg/penalty"
	"rexecd/pkg/rexecd"
	"rexecd/pkg/session"
	"rexecd/pkg/settings"
)

func TestEverySettingReachesTheServer(t *testing.T) {
	defaults := &rexecd.Server{PAM: login.Config{Service: "rexec"}, Grace: time.Minute, StderrMinPort: 1024, Penalties: penalty.Default()}
	if got := newServer(settings.DefaultServer()); !reflect.DeepEqual(got, defaults) {
		t.Errorf("the defaults are %+v; want %+v", got, defaults)
	}
	keep, networks := session.Capabilities(1<<21), []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	got := newServer(&settings.Server{
		Grace: time.Hour, PermitRoot: true, PermitEmptyPassword: true, LogCommand: true, LoginShell: true,
		Stderr: settings.Stderr{MinPort: 7}, OnDisconnect: settings.Hangup, CloseOnExit: true, KeepCapabilities: 1 << 21,
		Penalties: settings.Penalties{Enabled: true, AuthFail: 1, NoAuth: 2, GraceExceeded: 3, Protocol: 4, Min: 5, Max: 6, Exempt: networks, IPv4Bits: 8, IPv6Bits: 9},
	})
	table := penalty.Default()
	table.Amount[penalty.AuthFail], table.Amount[penalty.NoAuth], table.Amount[penalty.GraceExceeded], table.Amount[penalty.Protocol] = 1, 2, 3, 4
	table.Min, table.Max, table.Exempt, table.Bits4, table.Bits6 = 5, 6, networks, 8, 9
	want := &rexecd.Server{
		PAM: login.Config{Service: "rexec"}, Grace: time.Hour, PermitRoot: true, PermitEmptyPassword: true, LogCommand: true, LoginShell: true,
		StderrMinPort: 7, NoStderr: true, NoKeepAlive: true, HangupOnLoss: true, CloseOnExit: true, KeepCapabilities: &keep, Penalties: table,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, penalties %+v; want %+v, %+v", got, got.Penalties, want, want.Penalties)
	}
	if got := newServer(&settings.Server{}); got.Penalties != nil {
		t.Error("penalties are given although they are not enabled")
	}
}

func TestFlagsHaveTheLastWordOverTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	for _, tt := range []struct {
		text          string
		o             options
		close, noKeep bool
		wantErr       string
	}{
		{text: ""},
		{text: "", o: options{closeOnExit: true, noKeepAlive: true}, close: true, noKeep: true},
		{text: "close_on_exit = false\nkeepalive = true\n", o: options{closeOnExit: true, noKeepAlive: true}, close: true, noKeep: true},
		{text: "close_on_exit = true\nkeepalive = false\n", close: true, noKeep: true},
		{text: "\nnonsense = 1\n", wantErr: file + `:2:1: unknown setting "nonsense": `},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		tt.o.config = file
		s, err := tt.o.server()
		if tt.wantErr != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
				t.Errorf("server(%q) = %v; want %q", tt.text, err, tt.wantErr)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.CloseOnExit != tt.close || s.NoKeepAlive != tt.noKeep {
			t.Errorf("server(%q): CloseOnExit %v, NoKeepAlive %v", tt.text, s.CloseOnExit, s.NoKeepAlive)
		}
	}
}
