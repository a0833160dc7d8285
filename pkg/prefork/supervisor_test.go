package prefork

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTheSupervisorNeverWaitsForEverWhenHandlersAreWanted(t *testing.T) {
	const forever = -1
	waiting := []*handler{{}, {}}
	for _, tt := range []struct {
		name string
		s    Supervisor
		held time.Duration
		want int // ms
	}{
		{"nothing to do", Supervisor{}, -time.Second, forever},
		{"enough handlers", Supervisor{Idle: 2, handlers: waiting}, -time.Second, forever},
		// The time is over between fill's look at it and wait's: seen as a
		// supervisor that served nobody any more.
		{"a handler is wanted, the back-off has just ended", Supervisor{Idle: 2}, -1, 1},
		{"a handler is wanted, the back-off goes on", Supervisor{Idle: 2}, 3 * time.Second, 3001},
		{"a cold one that backs off", Supervisor{}, 3 * time.Second, 3001},
		{"no room for the handler that is wanted", Supervisor{Idle: 2, Max: 2, handlers: []*handler{{busy: true}, {busy: true}}}, -time.Second, forever},
		{"no room but for the handlers that refuse",
			Supervisor{Idle: 2, Max: 2, handlers: []*handler{{busy: true}, {busy: true, refused: true}}},
			-time.Second, 1},
		{"the watchdog comes first", Supervisor{AliveEvery: time.Second}, 3 * time.Second, 1001},
		{"the back-off ends first", Supervisor{AliveEvery: time.Minute}, 3 * time.Second, 3001},
	} {
		if got := tt.s.timeout(tt.held); got != tt.want {
			t.Errorf("%s: timeout(%v) = %d; want %d", tt.name, tt.held, got, tt.want)
		}
	}
}

// As when a PAM module waits for a file server, or closes descriptors that are not its own.
func TestAHandlerThatWillNeverReportIsReplaced(t *testing.T) {
	const died = "a handler that waited died: signal 9 (SIGKILL)"
	const hangs = "a handler hangs before it has a connection (a PAM module, a name service?): killed"
	for name, want := range map[string][]string{"hangs": {hangs, died, hangs, died}, "deaf": {died, died}} {
		t.Run(name, func(t *testing.T) {
			var signals [2]int
			if err := unix.Pipe2(signals[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			defer unix.Close(signals[0])
			log, logged, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			defer logged.Close()
			log.SetReadDeadline(time.Now().Add(30 * time.Second))
			s := &Supervisor{Idle: 1, Path: "/proc/self/exe", Warm: []string{name}, Stderr: 2, Log: logged, Signals: signals[0]}
			if name == "hangs" {
				s.startTime = 50 * time.Millisecond
			}
			end := make(chan error)
			go func() { end <- s.Run() }()
			lines := bufio.NewScanner(log)
			for _, line := range want {
				if !lines.Scan() || lines.Text() != line {
					t.Errorf("it said %q (%v); want %q", lines.Text(), lines.Err(), line)
				}
			}
			unix.Write(signals[1], []byte{byte(unix.SIGTERM)})
			unix.Close(signals[1])
			if err := <-end; err != nil {
				t.Error(err)
			}
			for _, h := range s.handlers {
				s.kill(h)
				unix.Wait4(h.pid, nil, 0, nil)
			}
		})
	}
}

func TestBackOffGrowsToItsMostAndNoFurther(t *testing.T) {
	var s Supervisor
	last := time.Duration(0)
	for range 100 {
		s.backOff()
		d := time.Until(s.notUntil)
		if d > mostBackOff || d < min(last, mostBackOff-time.Second) {
			t.Fatalf("back-off of %v after %v", d, last)
		}
		last = d
	}
	if last < mostBackOff-time.Second {
		t.Errorf("the last back-off is %v; want about %v", last, mostBackOff)
	}
}

func TestRefusedPeersDoNotEndTheBackOff(t *testing.T) {
	from := netip.MustParsePrefix("192.0.2.7/32")
	for _, limit := range []int{0, 1} {
		s := Supervisor{PerSource: limit, Log: io.Discard, handlers: []*handler{{busy: true, source: from}}}
		s.backOff()
		s.answer(&handler{control: -1}, from)
		if over := s.notUntil.IsZero(); over != (limit == 0) {
			t.Errorf("limit %d: the back-off is over: %t", limit, over)
		}
	}
}

func TestEndedPidIsThatOfTheChild(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if got := endedPid(&info); got != cmd.Process.Pid {
		t.Errorf("endedPid = %d; want %d", got, cmd.Process.Pid)
	}
}

// Few hosts let a test protect a process.
func TestHandlersAreNotProtectedWithTheSupervisor(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo 300 >/proc/self/oom_score_adj; echo; read x")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ own, want string }{{"0\n", "300\n"}, {"300\n", "300\n"}, {"-700\n", "0\n"}} {
		unprotect(cmd.Process.Pid, step.own)
		if got, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid)); string(got) != step.want {
			t.Errorf("of a supervisor with %q: %q, %v; want %q", step.own, got, err, step.want)
		}
	}
}

// Process 1 of a container has users' processes for children.
func TestOrphansWithoutEndDoNotKeepTheSupervisor(t *testing.T) {
	var pids []int
	for range mostOrphans + 3 {
		cmd := exec.Command("true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, cmd.Process.Pid)
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (n int) {
		for _, pid := range pids {
			if unix.Kill(pid, 0) == nil {
				n++
			}
		}
		return n
	}
	var s Supervisor
	s.reapOrphans() // those of other tests among them
	if n := left(); n < 3 || s.timeout(-1) != 0 {
		t.Errorf("%d are left after the first time, and it waits %d ms", n, s.timeout(-1))
	}
	s.reapOrphans()
	if n := left(); n != 0 || s.timeout(-1) != -1 {
		t.Errorf("%d are left after the second time, and it waits %d ms", n, s.timeout(-1))
	}
}

func TestHandlersGetNothingThatSystemdSaidToTheSupervisor(t *testing.T) {
	got := handlerEnv([]string{"A=1", "LISTEN_PID=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=x", "NOTIFY_SOCKET=/x", "WATCHDOG_PID=1", "WATCHDOG_USEC=1", "INVOCATION_ID=x"})
	if text := strings.Join(got, " "); text != "A=1 INVOCATION_ID=x" {
		t.Errorf("handlerEnv = %q", text)
	}
}
