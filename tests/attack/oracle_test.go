package attack

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// A guess is one kind of refused login.
type guess struct {
	name string
	r    lab.Request
}

// guesses are logins that must all look the same. The hashes are as slow to check as the host
// makes them by default: the difference between one that is checked and one that is not is what
// an attacker would measure.
func guesses(t *testing.T) []guess {
	alice, locked, empty, denied := newUser(t, lab.User{}), newUser(t, lab.User{}), newUser(t, lab.User{}), newUser(t, lab.User{})
	root := lab.User{Name: "root", Password: "Secret of root"}
	for _, u := range []lab.User{alice, locked, denied, root} {
		cmd := exec.Command("chpasswd", "-c", "YESCRYPT")
		cmd.Stdin = strings.NewReader(u.Name + ":" + u.Password + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("chpasswd: %v\n%s", err, out)
		}
	}
	lab.Run(t, "passwd", "-l", locked.Name)
	lab.Run(t, "passwd", "-d", empty.Name)
	lab.Run(t, "usermod", "-G", "games", denied.Name)
	return []guess{
		{"wrong password", lab.Request{User: alice.Name, Password: "Secret of nobody"}},
		{"unknown user", lab.Request{User: "nosuch", Password: "Secret of nobody"}},
		{"impossible name", lab.Request{User: "-r/:", Password: "Secret of nobody"}},
		{"root, right password", lab.Request{User: "root", Password: root.Password}},
		{"locked, right password", lab.Request{User: locked.Name, Password: locked.Password}},
		{"no password set", lab.Request{User: empty.Name, Password: ""}},
		{"right password, account not permitted here", lab.Request{User: denied.Name, Password: denied.Password}},
	}
}

// byRsh are the same as rsh asks: by a password, and two logins that ask to be trusted, from a
// port that is not.
func byRsh(all []guess) (rsh []guess) {
	for _, g := range all {
		g.r.User, g.r.Password, g.r.Command = "someone", g.r.User+"/"+g.r.Password, "id"
		rsh = append(rsh, g)
	}
	rsh[2].r.Password = "-r:/Secret of nobody" // the name ends at the slash
	return append(rsh, guess{"trusted, no such user", lab.Request{User: "someone", Password: "nosuch", Command: "id"}},
		guess{"trusted, a user", lab.Request{User: "someone", Password: all[0].r.User, Command: "id"}})
}

// denyGames refuses an account after its password was proven, and says nothing.
const denyGames = "account required pam_succeed_if.so quiet user notingroup games\n"

func TestNoRefusalTellsByItsTimeOrBytesWhyItIs(t *testing.T) {
	all := guesses(t)
	for _, c := range []struct {
		name   string
		stack  string
		trials int // of each guess
		atOnce int // fewer where the modules themselves start programs
		rsh    bool
	}{
		{"pam_fail_delay off", strings.Replace(lab.Stack, "pam_unix.so nodelay", "pam_unix.so nodelay nullok", 1) + denyGames, 20, 20, false},
		{"pam_fail_delay on", strings.Replace(lab.Stack, "pam_unix.so nodelay", "pam_unix.so nullok", 1) + denyGames, 16, 20, false},
		// Before pam_unix, which alone asks for a delay.
		{"a module that leaves early for some", "auth [success=die default=ignore] pam_succeed_if.so quiet user in nosuch:" + all[4].r.User + "\n" +
			strings.Replace(lab.Stack, "pam_unix.so nodelay", "pam_unix.so nullok", 1) + denyGames, 16, 20, false},
		// Leaves at once for some, late for others: by more than any hash.
		{"a module of uneven speed", "auth [success=1 default=ignore] pam_succeed_if.so quiet user in nosuch:root\nauth optional pam_exec.so quiet /bin/sleep .1\n" + lab.Stack + denyGames, 16, 16, false},
		{"in.rshd", strings.Replace(lab.Stack, "pam_unix.so nodelay", "pam_unix.so nullok", 1) + denyGames, 16, 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, lab.Handler{Room: lab.Room{Stack: c.stack}})
			all, refused := all, loginIncorrect
			if c.rsh {
				s = serve(t, lab.Handler{Path: lab.Rshd(t), Settings: "[rsh]\ntrust = true\n",
					Room: lab.Room{Files: map[string]string{"/etc/pam.d/rsh": "auth sufficient pam_rhosts.so\n" + c.stack}}})
				all, refused = byRsh(all), "\x01Permission denied.\n"
			}
			times := measure(t, s.Addr, all, c.trials, c.atOnce, refused)
			// The delay hides what takes less. Where so many checks at once take longer, fewer do.
			// On a machine so busy that checking one password takes longer, it hides less
			// (SECURITY.md, "What is left"), and there is nothing to be shown.
			for fewer := c.atOnce * 2 / 5; late(times[0]) && fewer > 1; fewer = fewer * 2 / 5 {
				t.Logf("this machine is too busy: a wrong password took longer than refusal_delay in more than a fifth of the trials; %d at once", fewer)
				times = measure(t, s.Addr, all, c.trials, fewer, refused)
			}
			busy := late(times[0])
			for i, g := range all {
				slices.Sort(times[i])
				z := mannWhitney(times[0], times[i])
				t.Logf("%-45s median %v, quartiles %v to %v, z = %+.1f", g.name, times[i][len(times[i])/2].Round(time.Millisecond),
					times[i][len(times[i])/4].Round(time.Millisecond), times[i][3*len(times[i])/4].Round(time.Millisecond), z)
				// Beyond 4.5 once in 150,000 tests by chance.
				if math.Abs(z) > 4.5 && !busy {
					t.Errorf("%s can be told from %s: z = %.1f", g.name, all[0].name, z)
				}
				if times[i][0] < 2*time.Second {
					t.Errorf("%s was answered after %v, before refusal_delay", g.name, times[i][0])
				}
			}
		})
	}
}

// late reports whether more than a fifth of the answers came later than refusal_delay and its
// random part explain.
func late(times []time.Duration) bool {
	n := 0
	for _, d := range times {
		if d > 2750*time.Millisecond {
			n++
		}
	}
	return n*5 > len(times)
}

// measure runs the trials in random order, some at once, so that whatever else the machine does
// falls on all alike.
func measure(t *testing.T, addr string, all []guess, trials, atOnce int, refused string) [][]time.Duration {
	t.Helper()
	var order []int
	for range trials {
		for i := range all {
			order = append(order, i)
		}
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	times := make([][]time.Duration, len(all))
	var mu sync.Mutex
	var wait sync.WaitGroup
	work := make(chan int)
	for range atOnce {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range work {
				took, answer := trial(t, addr, all[i].r)
				if answer != refused {
					t.Errorf("%s: answer %q", all[i].name, answer)
				}
				mu.Lock()
				times[i] = append(times[i], took)
				mu.Unlock()
			}
		}()
	}
	for _, i := range order {
		work <- i
	}
	close(work)
	wait.Wait()
	return times
}

// trial takes the time from the request's last byte to the answer's first, as an attacker would.
func trial(t *testing.T, addr string, r lab.Request) (time.Duration, string) {
	c := lab.Dial(t, addr)
	defer c.Close()
	b := r.Bytes()
	c.Write(b[:len(b)-1])
	begin := time.Now()
	c.Write(b[len(b)-1:])
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return 0, fmt.Sprint(err)
	}
	took := time.Since(begin)
	rest, err := io.ReadAll(c)
	if err != nil {
		return took, fmt.Sprint(err)
	}
	return took, string(first) + string(rest)
}

// mannWhitney is the rank-sum statistic of two samples as a standard normal deviate: whether the
// one tends to be larger, whatever their distribution and however wild the outliers.
func mannWhitney(a, b []time.Duration) float64 {
	u := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case y > x:
				u++
			case y == x:
				u += .5
			}
		}
	}
	n, m := float64(len(a)), float64(len(b))
	return (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
}
