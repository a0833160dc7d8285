package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

func TestThePasswordIsNowhereInTheServerWhileTheCommandRuns(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{Password: "Secret of memory 7f3a9"})
	for _, c := range []struct {
		name string
		h    lab.Handler
	}{
		{"pam_unix", lab.Handler{}},
		{"more modules", lab.Handler{Room: lab.Room{Stack: "auth required pam_faildelay.so\nauth required pam_unix.so nodelay try_first_pass\naccount required pam_unix.so\nsession optional pam_env.so\nsession required pam_limits.so\n"}}},
		{"log_command, as fd 3", lab.Handler{On: lab.ListenFDs, Settings: "log_command = true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.h)
			_, pid, handler := held(t, s, u)
			for _, process := range []string{handler, pid} {
				if n := occurrences(t, process, u.Password); n > 0 {
					t.Errorf("the password is %d times in the memory of process %s", n, process)
				}
				for _, file := range []string{"environ", "cmdline"} {
					if strings.Contains(read("/proc/"+process+"/"+file), u.Password) {
						t.Errorf("the password is in /proc/%s/%s", process, file)
					}
				}
				if n := occurrences(t, process, u.Name); n == 0 { // it is needed for the log, and is in HOME
					t.Errorf("not even the name is in the memory of process %s: this test shows nothing", process)
				}
			}
		})
	}
}

// occurrences counts a text in every readable mapping of a process.
func occurrences(t testing.TB, pid, text string) int {
	t.Helper()
	maps, err := os.Open("/proc/" + pid + "/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	mem, err := os.Open("/proc/" + pid + "/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	n := 0
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if rights[0] != 'r' || strings.HasSuffix(lines.Text(), "[vvar]") || strings.Contains(lines.Text(), "[vsyscall]") || strings.Contains(lines.Text(), "[vvar_vclock]") {
			continue
		}
		b := make([]byte, to-from)
		if _, err := mem.ReadAt(b, int64(from)); err != nil {
			t.Fatalf("read %q: %v", lines.Text(), err)
		}
		n += bytes.Count(b, []byte(text))
	}
	return n
}

func TestTheUserCannotLookIntoTheServer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, on := range []lab.Descriptors{lab.InOutErr, lab.ListenFDs} {
		s := serve(t, lab.Handler{On: on})
		got := out(t, s.Addr, request(u, "for f in environ mem maps fd/0 stack; do { cat /proc/$PPID/$f >/dev/null && echo read $f; } 2>/dev/null; done; kill -0 $PPID 2>/dev/null && echo can be signalled; :"))
		if got != "" {
			t.Errorf("of its parent, the command can %s", got)
		}
	}
}
