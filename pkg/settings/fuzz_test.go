package settings

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Whatever the file holds: values in their ranges, which read back as they are
// written, or an error that names a place in it and is safe to print.
func FuzzSettings(f *testing.F) {
	for _, file := range []string{"../../packaging/rexecd.toml"} {
		if shipped, err := os.ReadFile(file); err == nil {
			f.Add(string(shipped))
			f.Add(uncommented(string(shipped)))
		}
	}
	f.Add("grace = 61\nstderr = \"no\"\n[penalties]\nexempt = [\"192.0.2.0/24\"]\nmin = 1\n")
	f.Add("keep_capabilities = [\"cap_chown\", \"cap_bpf\"]\nkeepalive = \"1m30s\"\n")
	f.Add("penalties.max = 5\n[penalties]\n")
	f.Add("\xd5")
	f.Add("grace = 1e3\n'grace'=1")
	f.Add("penalties = {min = 1, max = 0x7fff, shared = ['::/0']}")
	f.Add("[[rule]]\nname = 'a'\nuser = ['x', '!@y']\ncommand = '\\w+'\nshell = false\nenvironment = {LANG = \"\\u0000é\"}\n[[rule]]\n[[test]]\nuser = 'x'")
	f.Add("[[rule]]\nrun = 'x'\ntime_limit = '2h'\nlogin_shell = false\n[rule.environment]\n\"\" = ''\n")
	place := regexp.MustCompile(`^FILE:[0-9]+:[0-9]+: [ -~]+$`)
	f.Fuzz(func(t *testing.T, text string) {
		s, from, err := decodeServer(text)
		if err != nil {
			if !place.MatchString(err.Error()) || len(err.Error()) > 2000 {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		checkRanges(t, text, s)
		var again strings.Builder
		for _, set := range s.Effective(from) {
			again.WriteString(set.Line() + "\n")
		}
		if same, _, err := decodeServer(again.String()); err != nil || !reflect.DeepEqual(same, s) {
			t.Errorf("%q: written out again: %v\n%s", text, err, again.String())
		}
	})
}

func checkRanges(t *testing.T, text string, s *Server) {
	t.Helper()
	p := s.Penalties
	within := func(what string, d, least, most time.Duration) {
		if d < least || d > most {
			t.Errorf("%q: %s is %v", text, what, d)
		}
	}
	within("grace", s.Grace, time.Second, time.Hour)
	within("refusal_delay", s.RefusalDelay, time.Second/2, time.Minute)
	within("keepalive", s.KeepAlive.Idle, 0, 2*time.Hour)
	for _, d := range []time.Duration{p.AuthFail, p.NoAuth, p.GraceExceeded, p.Protocol, p.Min, p.Max} {
		within("an amount", d, 0, 24*time.Hour)
	}
	if n := s.Stderr.MinPort; n < 1 || n > 65535 {
		t.Errorf("%q: port %d", text, n)
	}
	if k := s.KeepCapabilities; k != AllCapabilities && k>>len(CapabilityNames) != 0 {
		t.Errorf("%q: capabilities %#x", text, k)
	}
	if p.IPv4Bits < 8 || p.IPv4Bits > 32 || p.IPv6Bits < 16 || p.IPv6Bits > 128 {
		t.Errorf("%q: networks of %d and %d bits", text, p.IPv4Bits, p.IPv6Bits)
	}
	for _, network := range append(p.Exempt, p.Shared...) {
		if !network.IsValid() || network != network.Masked() || network.Addr().Is4In6() {
			t.Errorf("%q: network %v", text, network)
		}
	}
}
