package handler

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/pkg/rexecd"
)

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
		{text: "permit_root = true\n"},
		{text: "permit_root = true\n", o: options{noRoot: true}}, // HP-UX's -S
		{text: "\nnonsense = 1\n", wantErr: file + `:2:1: unknown setting "nonsense": `},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		tt.o.config = file
		s, err := program.server(tt.o)
		if tt.wantErr != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.wantErr) {
				t.Errorf("server(%q) = %v; want %q", tt.text, err, tt.wantErr)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Contains(tt.text, "permit_root = true") && !tt.o.noRoot; s.PermitRoot != want {
			t.Errorf("server(%q) with -S=%v permits root: %v", tt.text, tt.o.noRoot, s.PermitRoot)
		}
		if (s.OnExit == rexecd.Shutdown) != tt.close || s.KeepAlive.On == tt.noKeep {
			t.Errorf("server(%q): on exit %v, keepalive %v", tt.text, s.OnExit, s.KeepAlive.On)
		}
	}
}
