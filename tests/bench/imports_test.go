package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Every package in the server's image is initialised in the process of every connection, and adds pages that the
// loader relocates. So each has to be there for a reason, and a new one needs one.
func TestEveryPackageInTheServerIsThereForAReason(t *testing.T) {
	reasons := map[string]string{}
	text, err := os.ReadFile("imports.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		path, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path == "" || path == "#" {
			continue
		}
		if strings.TrimSpace(reason) == "" {
			t.Errorf("imports.txt: %s has no reason", path)
		}
		reasons[path] = reason
	}
	cmd := exec.Command("go", "list", "-deps", "rexecd/cmd/in.rexecd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-mod=readonly")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	there := map[string]bool{}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		if strings.HasPrefix(path, "internal/") || strings.Contains(path+"/", "/internal/") || strings.HasPrefix(path, "vendor/") {
			continue // what the standard library brings with it
		}
		there[path] = true
		if reasons[path] == "" {
			t.Errorf("in.rexecd now holds package %s: find out what for (go list -deps), and if it must, say why in imports.txt", path)
		}
	}
	for path := range reasons {
		if !there[path] {
			t.Errorf("imports.txt: %s is no longer in in.rexecd: take its line out", path)
		}
	}
}
