package attack

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// A guest from elsewhere, or with a password, is a user whom nobody knows: the same
// bytes, the same time, the same charge.
func TestAGuestFromElsewhereIsAUserWhomNobodyKnows(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{Hash: "!"})
	settings := fmt.Sprintf("[guest]\naccounts = [%q]\nfrom = ['192.0.2.0/25', '2001:db8:1::/48']\n[penalties]\nenabled = false\n", u.Name)
	s := serve(t, lab.Handler{Address: "::", Settings: settings})
	_, port, _ := strings.Cut(s.Addr, "]:")
	addr := "127.0.0.1:" + port
	guest := lab.Request{User: "guest", Command: "id -un"}
	if got := ask(t, "192.0.2.127", "192.0.2.1:"+port, guest); got != "\x00"+u.Name+"\n" {
		t.Fatalf("the guest's answer is %q", got)
	}
	lab.Eventually(t, "the account is idle", func() bool { return strings.Contains(s.Log.Raw(), "Session closed for guest") })
	if got := ask(t, "2001:db8:1::7", "[2001:db8::1]:"+port, guest); got != "\x00"+u.Name+"\n" {
		t.Fatalf("the guest's answer is %q", got)
	}
	within := func(r lab.Request, source, to string) (took time.Duration) {
		t.Helper()
		began := time.Now()
		if got := ask(t, source, to, r); got != "\x01Login incorrect.\n" {
			t.Errorf("%s as %q from %s: %q", r.Command, r.User, source, got)
		}
		return time.Since(began)
	}
	password := guest
	password.Password = "x"
	nobody := lab.Request{User: "nobodyknows", Command: "id"}
	upper := guest
	upper.User = "GUEST"
	capitals := password
	capitals.User = "GUEST"
	_, folding, _ := strings.Cut(serve(t, lab.Handler{Address: "::", Settings: "fold_user = true\n" + settings}).Addr, "]:")
	if got := ask(t, "192.0.2.7", "192.0.2.1:"+folding, upper); got != "\x00"+u.Name+"\n" {
		t.Fatalf("the answer to a guest in capitals is %q", got)
	}
	for _, c := range []struct {
		r          lab.Request
		source, to string
	}{
		{guest, "192.0.2.128", "192.0.2.1:" + port}, {guest, "198.51.100.7", "198.51.100.1:" + port}, {guest, "127.0.0.1", addr},
		{guest, "2001:db8:2::7", "[2001:db8::1]:" + port}, {password, "192.0.2.7", "192.0.2.1:" + port}, {upper, "192.0.2.7", "192.0.2.1:" + port},
		{nobody, "192.0.2.7", "192.0.2.1:" + port},
		// Names are folded there, but for who comes from elsewhere or has a password.
		{upper, "192.0.2.200", "192.0.2.1:" + folding}, {upper, "127.0.0.1", "127.0.0.1:" + folding},
		{capitals, "192.0.2.7", "192.0.2.1:" + folding}, {nobody, "192.0.2.200", "192.0.2.1:" + folding},
	} {
		// 2 s, and a random quarter of it; the upper bound is the machine's, not the server's.
		if took := within(c.r, c.source, c.to); took < 2*time.Second || took > lab.Patience {
			t.Errorf("as %q from %s: answered after %v", c.r.User, c.source, took)
		}
	}
	s.Log.Wait(t, "Failed password for invalid user guest from 198.51.100.7 port ")
}

// A guest is no way to the accounts' own files by another command at once: each has
// the account alone.
func TestTwoGuestsAtOnceAreNeverOneAccount(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{Hash: "!"})
	s := serve(t, lab.Handler{Settings: fmt.Sprintf("[guest]\naccounts = [%q]\nfrom = ['127.0.0.1']\n", u.Name)})
	const n = 12
	answers := make(chan string, n)
	for range n {
		go func() {
			c, err := net.Dial("tcp", s.Addr)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer c.Close()
			c.Write(lab.Request{User: "guest", Command: "mkdir /tmp/alone-" + u.Name + " && sleep 0.3 && rmdir /tmp/alone-" + u.Name + " && echo alone"}.Bytes())
			all, _ := io.ReadAll(c)
			answers <- string(all)
		}()
	}
	served := 0
	for range n {
		switch got := <-answers; got {
		case "\x00alone\n":
			served++
		case "\x01Try again.\n":
		default:
			t.Errorf("answer %q", got)
		}
	}
	if served == 0 {
		t.Error("nobody was served")
	}
}

// A process that forks and exits without a pause has gone before anybody can read whose it was.
// Not in parallel: it goes through all process IDs of this host.
func TestAProcessThatForksAndExitsKeepsItsAccount(t *testing.T) {
	u, dir := newUser(t, lab.User{Hash: "!"}), openDir(t)
	s := serve(t, lab.Handler{Settings: fmt.Sprintf("[guest]\naccounts = [%q]\nfrom = ['127.0.0.1']\n", u.Name)})
	guest := func(command string) lab.Request { return lab.Request{User: "guest", Command: command} }
	stop := dir + "/stop"
	t.Cleanup(func() { write(t, stop, "") })
	// A host has others, whose entries take time to read.
	others := exec.Command("perl", "-e", "for (1..300) { fork or exec 'sleep', '60' } sleep 60")
	others.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := others.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-others.Process.Pid, syscall.SIGKILL); others.Wait() })
	hop := "perl -MPOSIX -e 'setsid; for (1..500000) { exit if -e \"" + stop + "\"; exit if fork }' </dev/null >/dev/null 2>&1 & "
	if got := out(t, s.Addr, guest(hop+"echo left")); got != "left\n" {
		t.Fatalf("the guest's output is %q", got)
	}
	s.Log.Wait(t, "Session closed for guest")
	for range 50 {
		want(t, s.Addr, guest("id -un"), "\x01Try again.\n")
	}
	write(t, stop, "")
	lab.Eventually(t, "the account is idle", func() bool {
		return string(lab.Ask(t, s.Addr, guest("id -un")).All) == "\x00"+u.Name+"\n"
	})
}

// A process runs as long as one of its threads does, whatever its state is called.
func TestAProcessWithoutItsFirstThreadKeepsItsAccount(t *testing.T) {
	t.Parallel()
	u, headless := newUser(t, lab.User{Hash: "!"}), compile(t, "headless.c", "-pthread")
	s := serve(t, lab.Handler{Settings: fmt.Sprintf("[guest]\naccounts = [%q]\nfrom = ['127.0.0.1']\n", u.Name)})
	guest := func(command string) lab.Request { return lab.Request{User: "guest", Command: command} }
	pid := strings.TrimSpace(out(t, s.Addr, guest("setsid "+headless+" </dev/null >/dev/null 2>&1 & echo $!")))
	s.Log.Wait(t, "Session closed for guest")
	lab.Eventually(t, "the first thread has ended", func() bool {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		return err == nil && strings.Contains(string(status), "State:\tZ") && strings.Contains(string(status), "Threads:\t2")
	})
	want(t, s.Addr, guest("id -un"), "\x01Try again.\n")
	s.Log.Wait(t, `"`+u.Name+`": process `+pid+` is its`)
	n, err := strconv.Atoi(pid)
	if err != nil || syscall.Kill(n, syscall.SIGKILL) != nil {
		t.Fatalf("no process %q", pid)
	}
	lab.Eventually(t, "the account is idle", func() bool {
		return string(lab.Ask(t, s.Addr, guest("id -un")).All) == "\x00"+u.Name+"\n"
	})
}
