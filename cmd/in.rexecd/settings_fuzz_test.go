package main

import (
	"os"
	"regexp"
	"testing"
	"time"
)

// Whatever the file holds: a server with values in their ranges, or an error that names a line of it.
func FuzzSettings(f *testing.F) {
	if shipped, err := os.ReadFile("../../packaging/rexecd.toml"); err == nil {
		f.Add(string(shipped))
		f.Add(regexp.MustCompile(`(?m)^#(\S)`).ReplaceAllString(string(shipped), "$1")) // every default spelt out
	}
	f.Add("grace = 61\nstderr = \"no\"\n[penalties]\nexempt = [\"192.0.2.0/24\"]\nmin = 1\n")
	f.Add("keep_capabilities = [\"cap_chown\", \"cap_bpf\"]\n")
	f.Add("penalties.max = 5\n[penalties]\n")
	f.Add("grace = 1e3\n'grace'=1")
	line := regexp.MustCompile(`^[0-9]+: `)
	f.Fuzz(func(t *testing.T, text string) {
		s := defaults()
		if err := apply(s, text); err != nil {
			if !line.MatchString(err.Error()) {
				t.Errorf("%q: the error names no line: %v", text, err)
			}
			return
		}
		if s.Grace < time.Second || s.Grace > time.Hour || s.Stderr.MinPort < 1 || s.Stderr.MinPort > 65535 {
			t.Errorf("%q: grace %v, port %d", text, s.Grace, s.Stderr.MinPort)
		}
		if k := s.KeepCapabilities; k != nil && *k>>len(capabilityNames) != 0 {
			t.Errorf("%q: capabilities %#x", text, *k)
		}
		if p := s.Penalties; p != nil {
			for _, d := range append(p.Amount[:], p.Min, p.Max) {
				if d < 0 || d > 24*time.Hour {
					t.Errorf("%q: penalty of %v", text, d)
				}
			}
			if p.Bits4 < 8 || p.Bits4 > 32 || p.Bits6 < 16 || p.Bits6 > 128 {
				t.Errorf("%q: networks of %d and %d bits", text, p.Bits4, p.Bits6)
			}
			for _, e := range p.Exempt {
				if !e.IsValid() || e != e.Masked() {
					t.Errorf("%q: exempt %v", text, e)
				}
			}
		}
	})
}
