package systemd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

// What the shipped units permit at once, and a few more.
const (
	bound = 512
	flood = bound + 28
)

// Whoever opens connections and says nothing has 512 small processes for the grace time, and no
// more.
func TestAFloodOfHalfOpenConnectionsIsBoundedByTheUnits(t *testing.T) {
	prepareHost(t)
	setSettings(t, "grace = 3600\n"+settings)
	t.Cleanup(func() { setSettings(t, settings) })
	for _, unit := range []struct {
		name   string
		closed int // of the connections that are too many; others wait
	}{{"rexec.socket", flood - bound}, {"rexec-standby.socket", 0}} {
		t.Run(unit.name, func(t *testing.T) {
			lab.Run(t, "systemctl", "enable", "--now", unit.name)
			t.Cleanup(func() {
				lab.Run(t, "systemctl", "disable", "--now", unit.name)
				says("systemctl", "stop", "rexec-standby.service")
				says("systemctl", "reset-failed")
			})
			var ended sync.WaitGroup
			var mu sync.Mutex
			closed := 0
			var conns []net.Conn
			for range flood {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				conns = append(conns, c)
				fmt.Fprint(c, "0\x00ali")
				ended.Add(1)
				go func() {
					defer ended.Done()
					b, err := io.ReadAll(c)
					mu.Lock()
					defer mu.Unlock()
					if !errors.Is(err, net.ErrClosed) { // not by the test
						closed++
					}
					if len(b) > 0 {
						t.Errorf("an answer: %q", b)
					}
				}()
			}
			lab.Eventually(t, fmt.Sprintf("%d handlers, %d connections closed", bound, unit.closed), func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(handlers()) == bound && closed == unit.closed
			})
			private := 0
			for _, pid := range handlers() {
				private += lab.PrivateDirty(pid)
			}
			t.Logf("%d half-open handlers, %d kB of memory of their own each", bound, private/bound)
			for _, c := range conns {
				c.Close()
			}
			ended.Wait()
			lab.Eventually(t, "a place after the flood", func() bool { return ask(t, "echo again").Out() == "again\n" })
		})
	}
}

// handlers are all processes of in.rexecd, without the supervisor and what it forks them from.
func handlers() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if name, _ := os.ReadFile(dir + "/comm"); string(name) == "in.rexecd\n" &&
			!strings.Contains(lab.Read(dir+"/cmdline"), "\x00-zygote\x00") {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			pids = append(pids, pid)
		}
	}
	return pids
}
