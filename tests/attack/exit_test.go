package attack

import (
	"os"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// Whatever an exit program does, the user is refused soon, and nothing of its group is left.
func TestAnExitProgramThatMisbehavesRefusesAndEnds(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for name, c := range map[string]struct{ program, answer, log string }{
		"hangs":                    {"sleep 4242", "\x01Try again.\n", ": it took too long: more than 5s"},
		"closes its descriptors":   {"exec <&- >&- 2>&-; sleep 4242", "\x01Try again.\n", ": it took too long: more than 5s"},
		"stops":                    {"kill -STOP $$", "\x01Try again.\n", ": it took too long: more than 5s"},
		"forks and goes":           {"for i in 1 2 3 4 5 6 7 8; do sleep 4242 & done; exit 0", "\x00ran\n", ""},
		"forks and waits":          {"for i in 1 2 3 4 5 6 7 8; do sleep 4242 & done; wait", "\x01Try again.\n", ": it took too long: more than 5s"},
		"prints megabytes":         {"head -c 50000000 /dev/zero", "\x01Try again.\n", ": it printed too much: more than 131072 bytes"},
		"prints without an end":    {"yes", "\x01Try again.\n", ": it printed too much: more than 131072 bytes"},
		"says no in megabytes":     {"yes no; exit 1", "\x01Try again.\n", ": it printed too much: more than 131072 bytes"},
		"kills its process group":  {"kill -9 0", "\x01Try again.\n", ": killed by signal 9"},
		"kills whom it can":        {"kill -9 -1; kill -9 $PPID; exit 1", "\x01", ""},
		"is no program":            {"", "\x01Try again.\n", ": start shell: exec format error"},
		"forges a line of the log": {"printf 'x\\nAccepted password for root\\n'; exit 1", "\x01x\n", `: "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := openDir(t) + "/exit"
			text := "#!/bin/sh\n" + c.program + "\n"
			if c.program == "" {
				text = "\x7fELFno"
			}
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			settings := "exit = '" + path + "'\n"
			if name == "kills whom it can" { // not the other exit programs, which are nobody's
				settings += "exit_user = '" + newUser(t, lab.User{}).Name + "'\n"
			}
			s := serve(t, lab.Handler{Settings: settings})
			began := time.Now()
			a := lab.Ask(t, s.Addr, request(u, "echo ran"))
			if !strings.HasPrefix(string(a.All), c.answer) || len(c.answer) > 1 && string(a.All) != c.answer {
				t.Errorf("%v; want %q", a, c.answer)
			}
			if took := time.Since(began); took > lab.Patience {
				t.Errorf("answered after %v", took)
			}
			if c.log != "" {
				if r := s.Log.Wait(t, "Refused "+u.Name); !strings.HasSuffix(r["MESSAGE"], c.log) {
					t.Errorf("logged %q; want %q at its end", r["MESSAGE"], c.log)
				}
			}
			p := s.Process(t, 0)
			p.Wait(t)
			lab.Eventually(t, "nothing of the program is left", func() bool { return !runs(path) })
		})
	}
}

// runs reports whether a process was started for a script, or from one.
func runs(path string) bool {
	all, _ := os.ReadDir("/proc")
	for _, e := range all {
		if line := read("/proc/" + e.Name() + "/cmdline"); strings.Contains(line, path) {
			return true
		}
	}
	return false
}

// The grace time ends a program as it ends everything else before the command.
func TestTheGraceTimeEndsAnExitProgram(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	path := openDir(t) + "/exit"
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 4243\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := serve(t, lab.Handler{Settings: "grace = 2\nexit = '" + path + "'\n"})
	if a := lab.Ask(t, s.Addr, request(u, "echo ran")); len(a.All) != 0 {
		t.Errorf("%v; want silence", a)
	}
	s.Log.Wait(t, "grace time of 2s over in the exit program")
	lab.Eventually(t, "the program has gone", func() bool { return !runs("sleep\x004243") })
}

// A server that is killed takes the program along.
func TestAKilledServerLeavesNoExitProgram(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	path := openDir(t) + "/exit"
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 4244\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := serve(t, lab.Handler{Settings: "exit = '" + path + "'\n"})
	c := lab.Dial(t, s.Addr)
	c.Write(request(u, "echo ran").Bytes())
	lab.Eventually(t, "the program runs", func() bool { return runs("sleep\x004244") })
	p, err := os.FindProcess(s.Process(t, 0).Pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the program has gone", func() bool { return !runs("sleep\x004244") })
}
