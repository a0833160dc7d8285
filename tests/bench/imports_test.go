package main

import (
	"os"
	"os/exec"
	"path/filepath"
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
	there := map[string]bool{}
	for _, path := range imports(t, "rexecd/cmd/in.rexecd", "1") {
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

// imports lists the packages in the image of a program.
func imports(t *testing.T, program, cgo string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOFLAGS=-mod=readonly")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}

// What administers the service knows these files and programs.
func TestTheServerHoldsNothingOfTheAdministration(t *testing.T) {
	build := func(name, cgo string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		cmd := exec.Command("go", "build", "-o", path, "rexecd/cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	server, rexecd := build("in.rexecd", "1"), build("rexecd", "0")
	for _, word := range []string{"/etc/inetd.conf", "/etc/xinetd.d", "systemctl", "/etc/services", "firewalld"} {
		if strings.Contains(server, word) {
			t.Errorf("in.rexecd holds %q: it serves one connection, and rexecd does the rest", word)
		}
		if !strings.Contains(rexecd, word) {
			t.Errorf("rexecd does not hold %q: the test looks for the wrong word", word)
		}
	}
}

// What listens reads no peer, and links nothing that would.
func TestRexecdHasNoCAndNoPAM(t *testing.T) {
	for _, path := range imports(t, "rexecd/cmd/rexecd", "0") {
		switch path {
		case "runtime/cgo", "github.com/msteinert/pam/v2", "rexecd/pkg/login", "rexecd/pkg/session", "rexecd/pkg/rexecd", "rexecd/pkg/rexec/wire":
			t.Errorf("rexecd holds package %s", path)
		}
	}
}
