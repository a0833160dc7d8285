package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestGroupsThatRulesNameAndNobodyHasAreFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rexecd.toml")
	text := "[[rule]]\nuser = ['@root', '!@no-such-group']\n[[rule]]\nuser = ['@no-such-group', '@root', 'no-such-user']\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []finding{{note, "rules", file + `:2: the group "no-such-group" does not exist: nobody is in it, and while a rule excludes or denies it, every client is told "Try again."`}}
	if got := (options{config: file}).checkGroups(); !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v; want %+v", got, want)
	}
}
