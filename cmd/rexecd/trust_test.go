package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsBelievedByAccountsIsLookedAt(t *testing.T) {
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		uid        int
		want       []string
	}{
		{"hosts and users", "192.0.2.7 alice\nhost.example bob\n-host\n", 0o600, os.Getuid(), nil},
		{"every host", "192.0.2.7\n+ alice\n", 0o600, os.Getuid(), []string{":2: + lets in every host"}},
		{"every user", "192.0.2.7 +\n", 0o600, os.Getuid(), []string{":1: + lets in every user of its host"}},
		{"everybody", "# all\n+ +\n", 0o600, os.Getuid(), []string{":2: + lets in every host"}},
		{"a group of hosts", "+@trusted +@users\n", 0o600, os.Getuid(), nil},
		{"others can write it", "192.0.2.7\n", 0o620, os.Getuid(), []string{"others can write "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".rhosts")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			got := checkTrusting(path, c.uid)
			if len(got) != len(c.want) {
				t.Fatalf("%v; want %q", got, c.want)
			}
			for i, f := range got {
				if f.Level != fail || !strings.Contains(f.Text, c.want[i]) {
					t.Errorf("%v; want %q", f, c.want[i])
				}
			}
		})
	}
	if got := checkTrusting(t.TempDir(), 0); len(got) != 1 || got[0].Level != note {
		t.Errorf("a directory: %v", got)
	}
	if got := checkTrusting(filepath.Join(t.TempDir(), "absent"), 0); got != nil {
		t.Errorf("nothing: %v", got)
	}
}
