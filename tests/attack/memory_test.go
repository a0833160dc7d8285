package attack

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// tests/e2e looks for the password while the command runs. Here: in a handler that holds a
// refusal back, in one that has not got the whole request, and in what a crash leaves.

func TestARefusedPasswordIsGoneBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Room: lab.Room{Stack: "auth optional pam_faildelay.so delay=4000000\n" + lab.Stack}})
	const attempt = "Secret of a bad guess 81c5"
	c := lab.Dial(t, s.Addr)
	c.Write(lab.Request{User: u.Name, Password: attempt, Command: "id"}.Bytes())
	s.Log.Wait(t, "Failed password for "+u.Name) // the answer is some seconds away
	pid := s.Process(t, 0).Pid
	if n := occurrences(t, pid, attempt); n > 0 {
		t.Errorf("the password is %d times in memory", n)
	}
	if occurrences(t, pid, u.Name) == 0 {
		t.Error("not even the name is in memory: this test shows nothing")
	}
	if all, _ := io.ReadAll(c); string(all) != loginIncorrect {
		t.Errorf("answer %q", all)
	}
}

// Until PAM has checked it the password has to be somewhere. It is there once, not in pieces of
// buffers.
func TestAPasswordThatWaitsForTheCommandIsInMemoryOnce(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{})
	const secret = "Secret of patience 4e11"
	c := lab.Dial(t, s.Addr)
	io.WriteString(c, "\x00"+u.Name+"\x00"+secret+"\x00ls")
	pid := s.Process(t, 0).Pid
	lab.Eventually(t, "the password to be read", func() bool { return occurrences(t, pid, secret) > 0 })
	if n := occurrences(t, pid, secret); n != 1 {
		t.Errorf("the password is %d times in memory", n)
	}
}

// A module that crashes takes the process along. Nothing of its memory may be left: no core, no
// trace in a log.
func TestACrashLeavesNoPasswordBehind(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	write(t, dir+"/note", "#!/bin/sh\n")
	u := newUser(t, lab.User{})
	for _, does := range []string{"acct=segv", "acct=abort", "open=segv"} {
		// Limits that permit a core file, in a folder where it could be written.
		s := serve(t, lab.Handler{Room: lab.Room{Stack: hostileStack(t, dir, does)}, Before: []string{"sh", "-c", "cd " + dir + ` && ulimit -c unlimited && exec "$@"`, "sh"}})
		c := lab.Dial(t, s.Addr)
		c.Write(request(u, "id").Bytes())
		all, _ := io.ReadAll(c)
		p := s.Process(t, 0)
		p.Wait(t)
		if len(all) != 0 || p.Output() != "" || strings.Contains(s.Log.Raw(), u.Password) || strings.Contains(s.Log.Raw(), "goroutine") {
			t.Errorf("%s: on the wire %q, on other descriptors %q, in the log %q", does, all, p.Output(), s.Log.Raw())
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(f.Name(), "core") {
			t.Errorf("left behind: %s", f.Name())
		}
	}
}

// occurrences counts a text in every readable mapping of a process.
func occurrences(t testing.TB, pid int, text string) int {
	t.Helper()
	proc := "/proc/" + strconv.Itoa(pid)
	mem, err := os.Open(proc + "/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	n := 0
	lines := bufio.NewScanner(strings.NewReader(read(proc + "/maps")))
	for lines.Scan() {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if rights[0] != 'r' || strings.Contains(lines.Text(), "[v") {
			continue
		}
		b := make([]byte, to-from)
		got, _ := mem.ReadAt(b, int64(from))
		n += bytes.Count(b[:got], []byte(text))
	}
	return n
}
