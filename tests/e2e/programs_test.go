package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// As inetd.conf of AIX and HP-UX names it.
func TestRexecdWithAConnectionBecomesTheServer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for name, on := range map[string]lab.Descriptors{"descriptor 0": lab.In, "LISTEN_FDS": lab.ListenFDs} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, lab.Handler{Path: lab.Rexecd(t), On: on, Args: []string{"-c", "-s", "-m", "-S", "-D", "-n"}})
			waiting := lab.Dial(t, s.Addr)
			lab.Eventually(t, "in.rexecd with the flags that are its own", func() bool {
				all := s.Processes()
				return len(all) > 0 && read("/proc/"+itoa(all[0].Pid)+"/cmdline") == "in.rexecd\x00-m\x00-n\x00-S\x00"
			})
			waiting.Close()
			wantOut(t, s.Addr, request(u, inherited), lab.Run(t, "sh", "-c", inherited))
			wantAll(t, s.Addr, lab.Request{User: u.Name, Password: "no", Command: "true"}, loginIncorrect)
			s.Log.Wait(t, "Accepted password for "+u.Name+" from 127.0.0.1")
		})
	}
}

func TestWrongUseIsForTheLogAndNotForThePeer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ program, args, want string }{
		{lab.Server(t), "-check", "in.rexecd serves one connection; use rexecd -check"},
		{lab.Server(t), "-standby 4", "in.rexecd serves one connection; use rexecd -standby"},
		{lab.Rexecd(t), "-standby 4", "in.rexecd serves one connection; use rexecd -standby"},
		{lab.Rexecd(t), "-m -nonsense", "flag provided but not defined: -nonsense"},
		{lab.Rexecd(t), "-check -install", "use rexecd -check"},
		{lab.Rexecd(t), "-max 3", "use rexecd -max"},
	} {
		t.Run(filepath.Base(c.program)+" "+c.args, func(t *testing.T) {
			s := serve(t, lab.Handler{Path: c.program, Args: strings.Fields(c.args)})
			wantAll(t, s.Addr, lab.Request{User: "root", Password: "x", Command: "id"}, "\x01Try again.\n")
			if message := s.Log.Wait(t, "Configuration error")["MESSAGE"]; !strings.Contains(message, c.want) {
				t.Errorf("the log has %q; want %q", message, c.want)
			}
		})
	}
}

func TestWrongUseOnATerminalNamesTheProgramToUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{lab.Server(t), "-check"}, "in.rexecd: in.rexecd serves one connection; use rexecd -check\n\nusage: "},
		{[]string{lab.Rexecd(t)}, "rexecd: nothing to do; in.rexecd serves a connection"},
		{[]string{lab.Rexecd(t), "-m"}, "rexecd: nothing to do; in.rexecd serves a connection"},
		{[]string{lab.Rexecd(t), "-install", "-check"}, "rexecd: -install does not go with -check\n\nusage: "},
		{[]string{lab.Rexecd(t), "-standby", "0", "-listen", ":512"}, "rexecd: -standby 0: it takes a number from 1 to 1000\n\nusage: "},
	} {
		stdout, stderr, status := run(t, exec.Command(c.argv[0], c.argv[1:]...))
		if status != 2 || stdout != "" || !strings.HasPrefix(stderr, c.want) {
			t.Errorf("%q: status %d, %q, %q; want 2 and %q", c.argv, status, stdout, stderr, c.want)
		}
	}
}

func TestAConnectionWithoutItsServerIsLogged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(openDir(t), "rexecd")
	lab.Run(t, "cp", lab.Rexecd(t), path)
	s := serve(t, lab.Handler{Path: path})
	if a := lab.Ask(t, s.Addr, lab.Request{User: "root", Password: "x", Command: "id"}); len(a.All) != 0 {
		t.Errorf("the peer is told %q", a.All)
	}
	s.Log.Wait(t, "start "+filepath.Dir(path)+"/in.rexecd: no such file or directory")
	if state := s.Process(t, 0).Wait(t); state.ExitCode() != 1 {
		t.Errorf("end: %v; want status 1", state)
	}
}

func TestPathsMayHoldSpaces(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), "a directory")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lab.Run(t, "cp", lab.Server(t), lab.Rexecd(t), dir)
	settings := filepath.Join(dir, "my settings.toml")
	if err := os.WriteFile(settings, []byte("login_shell = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, lab.User{})
	for _, mode := range []string{"-debug", "-standby=1"} {
		s := stand(t, lab.Room{}, dir+"/rexecd", nil, mode, "-config", settings)
		wantOut(t, s.addr, request(u, "echo $0"), "-sh\n")
	}
}
