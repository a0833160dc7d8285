package main

import (
	"os"
	"strings"
	"testing"
)

func TestUsageAndManualNameEveryFlag(t *testing.T) {
	manual, err := os.ReadFile("in.rexecd.8")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config", "version", "m", "n", "c", "D", "s", "S"} {
		if !strings.Contains(usage, "-"+name) && name != "n" {
			t.Errorf("usage does not name -%s", name)
		}
		if !strings.Contains(string(manual), name) {
			t.Errorf("in.rexecd.8 does not name -%s", name)
		}
	}
}
