package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// readLate reads the connection to its end from a second after the start on, while
// its own input goes on a byte at a time. It returns how much arrived.
func readLate(c *net.TCPConn) (n int64, err error) {
	stop := make(chan struct{})
	go func() {
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.Write([]byte("x"))
			}
		}
	}()
	time.Sleep(time.Second)
	n, err = io.Copy(io.Discard, c)
	close(stop)
	return n, err
}

func TestTheOutputArrivesWholeWhateverTheInputDoes(t *testing.T) {
	t.Parallel()
	const size = 1_500_000
	u := newUser(t, lab.User{})
	fast, m := serve(t, lab.Handler{}), serve(t, lab.Handler{Args: []string{"-m"}})
	standing := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "1")
	for name, addr := range map[string]string{"started for the connection": fast.Addr, "-m": m.Addr, "standby": standing.addr} {
		for _, child := range []string{"", "sleep 3 & "} {
			t.Run(name+" "+child, func(t *testing.T) {
				t.Parallel()
				c := lab.Dial(t, addr)
				c.Write(request(u, fmt.Sprintf("%shead -c %d /dev/zero", child, size)).Bytes())
				if n, err := readLate(c); n != size+1 || err != nil && !strings.Contains(err.Error(), "reset") {
					t.Errorf("%d bytes arrived, %v; want %d", n, err, size+1)
				}
			})
		}
	}
}

func TestTheRecordDoesNotWaitForThePeerToRead(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, args := range [][]string{nil, {"-m"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			t.Parallel()
			stack, file := recorder(t)
			s := serve(t, lab.Handler{Args: args, Room: lab.Room{Stack: stack}})
			c := lab.Dial(t, s.Addr) // reads nothing, and stays
			c.Write(request(u, "head -c 1500000 /dev/zero").Bytes())
			s.Log.Wait(t, "Session closed for "+u.Name)
			if got, want := read(file), record(u, "auth", "account", "open_session", "close_session"); got != want {
				t.Errorf("PAM's calls = %q; want %q", got, want)
			}
			p := s.Process(t, 0)
			if !alive(itoa(p.Pid)) {
				t.Error("the server has gone: output is lost")
			}
			began := time.Now()
			if err := syscall.Kill(p.Pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if end := p.Wait(t); end.ExitCode() != 0 || time.Since(began) > lab.Patience/2 {
				t.Errorf("after SIGTERM: %v, %v", end, time.Since(began))
			}
		})
	}
}
