package systemd

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestTheUnitsAreCleanForSystemdAnalyze(t *testing.T) {
	prepareHost(t)
	if out, err := says("systemd-analyze", "verify", "/usr/lib/systemd/system/rexec.socket", "/usr/lib/systemd/system/rexec@.service"); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestNothingListensUntilTheSocketIsEnabled(t *testing.T) {
	prepareHost(t)
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("port 512 is open after make install")
	}
	if out, _ := says("systemctl", "is-enabled", "rexec.socket"); out != "disabled" {
		t.Errorf("systemctl is-enabled rexec.socket says %q", out)
	}
}

func TestASessionWithAStderrConnection(t *testing.T) {
	enable(t)
	for _, at := range []string{addr, "[::1]:512"} {
		a := lab.Open(t, at, "alice", "correct-horse", "echo out; echo err >&2; id -un").Started(t).Rest(t)
		if string(a.All) != "out\nalice\n" || string(a.Stderr) != "err\n" || a.Err != nil {
			t.Errorf("%s: %v", at, a)
		}
	}
}

// systemd's own limit, 200 activations in 2 s, stops the socket until somebody starts it again.
func TestABurstOf300DoesNotStopTheSocket(t *testing.T) {
	enable(t)
	// On a slow machine systemd would not get to 200 in 2 s, and the test would prove nothing by
	// itself.
	if out := lab.Run(t, "systemctl", "show", "rexec.socket", "-p", "TriggerLimitIntervalUSec"); out != "TriggerLimitIntervalUSec=0\n" {
		t.Errorf("systemctl show: %s; want no limit", out)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	start := time.Now()
	for range 300 {
		all.Add(1)
		go func() {
			defer all.Done()
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Errorf("connect: %v", err)
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}()
	}
	all.Wait()
	if d := time.Since(start); d > 2*time.Second {
		t.Logf("the machine is slow: 300 connections took %v; systemd accepts them as fast as it can all the same", d)
	}
	wrong := map[int]string{}
	for i, c := range conns {
		all.Add(1)
		go func() {
			defer all.Done()
			defer c.Close()
			c.SetDeadline(time.Now().Add(5 * time.Minute)) // a bound for a busy machine; a quiet one needs six seconds
			fmt.Fprintf(c, "0\x00alice\x00correct-horse\x00echo %d\x00", i)
			b, err := io.ReadAll(c)
			if want := fmt.Sprintf("\x00%d\n", i); string(b) != want {
				mu.Lock()
				wrong[i] = fmt.Sprintf("%q, %v; want %q", b, err, want)
				mu.Unlock()
			}
		}()
	}
	all.Wait()
	for i, what := range wrong {
		t.Errorf("%d of 300 connections went wrong, such as %d: %s", len(wrong), i, what)
		break
	}
	if out, _ := says("systemctl", "is-active", "rexec.socket"); out != "active" {
		t.Errorf("after the burst rexec.socket is %s", out)
	}
	if a := ask(t, "echo still here"); a.Out() != "still here\n" {
		t.Errorf("after the burst: %v", a)
	}
}

func TestMaxConnectionsPerSourceAsTheManualShows(t *testing.T) {
	enable(t)
	dropIn(t, "[Socket]\nMaxConnectionsPerSource=2\n")
	var open []*lab.Session
	for range 2 {
		open = append(open, lab.Open(t, addr, "alice", "correct-horse", "cat").Started(t))
	}
	if a := ask(t, "echo third"); len(a.All) != 0 {
		t.Errorf("a third connection of the same source: %v; want it closed without a byte", a)
	}
	if a := lab.Ask(t, "[::1]:512", lab.Request{User: "alice", Password: "correct-horse", Command: "echo other"}); a.Out() != "other\n" {
		t.Errorf("another source: %v", a)
	}
	for _, s := range open {
		s.Rest(t)
	}
	lab.Eventually(t, "a place after the two have ended", func() bool { return ask(t, "echo again").Out() == "again\n" })
}

func TestIPAddressDenyInTheSocketRefusesASource(t *testing.T) {
	enable(t)
	if a := ask(t, "echo before"); a.Out() != "before\n" {
		t.Fatalf("%v", a)
	}
	dropIn(t, "[Socket]\nIPAddressDeny=any\nIPAddressAllow=127.0.0.2/32 ::1\n")
	// The filter drops packets: a client sees no refusal, its connect just does not come back.
	if c, err := net.DialTimeout("tcp", addr, 2*time.Second); err == nil {
		c.Close()
		t.Error("127.0.0.1 was denied and got a connection")
	}
	a := lab.Ask(t, "[::1]:512", lab.Request{User: "alice", Password: "correct-horse", Command: "echo allowed"})
	if a.Out() != "allowed\n" {
		t.Errorf("an address that is allowed: %v", a)
	}
}

func TestARefusedLoginLeavesNoFailedUnit(t *testing.T) {
	enable(t)
	a := lab.Ask(t, addr, lab.Request{User: "alice", Password: "wrong", Command: "id"})
	if string(a.All) != "\x01Login incorrect.\n" {
		t.Fatalf("%v", a)
	}
	// A client that says nothing, and one that speaks another protocol.
	lab.AskRaw(t, addr, nil)
	lab.AskRaw(t, addr, []byte("GET / HTTP/1.0\r\n\r\n"))
	// And a server that cannot serve: its exit status is 1.
	setSettings(t, "grace = never\n")
	t.Cleanup(func() { setSettings(t, settings) })
	if a := ask(t, "id"); string(a.All) != "\x01Try again.\n" {
		t.Errorf("with broken settings: %v", a)
	}
	awaitEntry(t, "/etc/rexecd.toml:1:9: grace = never: must be", "-t", "in.rexecd", "REXEC_OUTCOME=configuration-error")
	lab.Eventually(t, "no units of connections", func() bool { return len(services(t)) == 0 })
	if out, _ := says("systemctl", "--failed", "--plain", "--no-legend", "list-units", "rexec*"); strings.Contains(out, "rexec") {
		t.Errorf("failed units: %s", out)
	}
}
