//go:build unix

package main

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"rexecd/tests/client/scripted"
)

// TestMain makes rexec a command of the scripts: the test binary under another
// name, with a settings file of the test's own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rexec": func() {
			os.Exit(run(os.Args, os.Getenv("TEST_SETTINGS")))
		},
	})
}

// TestScripts are the command line as people use it: testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TEST_SETTINGS", env.WorkDir+"/rexec.toml")
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server":    scriptServer,
			"requested": scriptRequested,
		},
	})
}

// scriptServer is "server MODE": $PORT is where it listens.
func scriptServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: server mode")
	}
	s, err := scripted.Start(args[0])
	ts.Check(err)
	ts.Defer(s.Stop)
	ts.Setenv("PORT", s.Port())
	serversLock.Lock()
	servers[s.Port()] = s
	serversLock.Unlock()
}

// servers of the scripts, by port.
var (
	serversLock sync.Mutex
	servers     = map[string]*scripted.Server{}
)

// scriptRequested is "requested TEXT...": the server of $PORT got a request of
// these words.
func scriptRequested(ts *testscript.TestScript, neg bool, args []string) {
	serversLock.Lock()
	got := servers[ts.Getenv("PORT")].Requests()
	serversLock.Unlock()
	if strings.Contains(got, strings.Join(args, " ")) == neg {
		ts.Fatalf("requests are\n%s", got)
	}
}
