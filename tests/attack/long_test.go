package attack

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// tally counts what one kind of attack got.
type tally struct {
	attempts, silence, incorrect, tryAgain, other, through int
}

// A campaign is attacks of all kinds at once, from many addresses, while users work.
type campaign struct {
	t      *testing.T
	addr   string
	victim lab.User
	root   lab.User
	mu     sync.Mutex
	kinds  map[string]*tally
}

// note files an answer: what begins with a NUL is somebody who got in.
func (c *campaign) note(kind, answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kinds[kind]
	if k == nil {
		k = &tally{}
		c.kinds[kind] = k
	}
	k.attempts++
	switch {
	case answer == "":
		k.silence++
	case answer == loginIncorrect:
		k.incorrect++
	case answer == tryAgain, answer == tooManyFailed:
		k.tryAgain++
	case answer[0] == 1 && strings.HasSuffix(answer, "\n"):
		k.other++
	default:
		k.through++
		c.t.Errorf("%s got through: %.200q", kind, answer)
	}
}

// attack makes one attempt from a source.
func (c *campaign) attack(source string) {
	guess := []string{"", "password", "123456", "root", "toor", "admin", c.victim.Name, "Secret of", strings.Repeat("A", 511)}
	login := func(user, password string) string {
		return ask(c.t, source, c.addr, lab.Request{User: user, Password: password, Command: "id"})
	}
	raw := func(sent string, reset bool) string {
		conn := from(c.t, source, c.addr)
		defer conn.Close()
		io.WriteString(conn, sent)
		if reset {
			conn.SetLinger(0)
			return ""
		}
		conn.CloseWrite()
		all, _ := io.ReadAll(conn)
		return string(all)
	}
	random := make([]byte, rand.IntN(3000))
	for i := range random {
		random[i] = byte(rand.IntN(256))
	}
	whole := string(lab.Request{User: c.victim.Name, Password: "x", Command: "id"}.Bytes())
	switch rand.IntN(12) {
	case 0, 1, 2:
		c.note("guessed password of a user", login(c.victim.Name, guess[rand.IntN(len(guess))]))
	case 3:
		c.note("unknown user", login(fmt.Sprintf("user%d", rand.IntN(1000)), guess[rand.IntN(len(guess))]))
	case 4:
		c.note("root, right password", login("root", c.root.Password))
	case 5:
		c.note("impossible name", login([]string{"-froot", "../root", "a:b", "root\n", "\x1b[2J", "root\x01"}[rand.IntN(6)], "x"))
	case 6:
		c.note("random bytes", raw("0"+string(random), false))
	case 7:
		c.note("oversized field", raw(strings.Repeat("\x00"+strings.Repeat("x", 600), 3), false))
	case 8:
		c.note("bounce to a port", raw([]string{"22", "514", "512", "65535", "1023", "1024"}[rand.IntN(6)]+whole, false))
	case 9:
		c.note("reset at a random byte", raw(whole[:rand.IntN(len(whole))], true))
	case 10:
		c.note("connect and leave", raw("", false))
	case 11:
		conn := from(c.t, source, c.addr)
		defer conn.Close()
		io.WriteString(conn, whole[:rand.IntN(len(whole))])
		all, _ := io.ReadAll(conn) // held open until the grace time
		c.note("half-open until the grace time", string(all))
	}
}

// With the default penalties, a grace time of 3 seconds, and for as long as REXEC_ATTACK_TIME
// says: nobody gets in, and the users' own commands run.
func TestNothingGetsThroughWhileUsersWork(t *testing.T) {
	manyAddresses(t)
	d, err := time.ParseDuration(os.Getenv("REXEC_ATTACK_TIME"))
	if err != nil {
		d = 10 * time.Second
	}
	c := &campaign{t: t, victim: newUser(t, lab.User{}), root: lab.User{Name: "root", Password: "Secret of root"}, kinds: map[string]*tally{}}
	lab.Run(t, "usermod", "-p", lab.Hash(t, c.root.Password), "root")
	s := serve(t, lab.Handler{Settings: "grace = 3\n[penalties]\n", Address: "192.0.2.1"})
	c.addr = s.Addr
	worker := newUser(t, lab.User{})
	end := time.Now().Add(d)
	var wait sync.WaitGroup
	for n := range 40 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for time.Now().Before(end) {
				// A few sources that go on and on, and many that come back seldom.
				source := fmt.Sprintf("198.51.100.%d", 2+n%4)
				if n%4 != 0 {
					source = fmt.Sprintf("203.0.113.%d", 2+rand.IntN(250))
				}
				c.attack(source)
			}
		}()
	}
	worked := 0
	slowest := time.Duration(0)
	wait.Add(1)
	go func() {
		defer wait.Done()
		for time.Now().Before(end) {
			begin := time.Now()
			if got := ask(t, "192.0.2.99", s.Addr, request(worker, "echo work")); got != "\x00work\n" {
				t.Errorf("a user's command: %q", got)
			}
			worked++
			slowest = max(slowest, time.Since(begin))
			time.Sleep(50 * time.Millisecond)
		}
	}()
	wait.Wait()
	handlers := allGone(t, s)
	report(t, c.kinds)
	t.Logf("%v, %d handlers; %d commands of users, all served, the slowest in %v; penalties at the end: %d sources",
		d, handlers, worked, slowest.Round(time.Millisecond), strings.Count(penalties(t), "\n")-1)
	if n := strings.Count(s.Log.Raw(), "Internal error"); n > 0 {
		t.Errorf("%d internal errors", n)
	}
	if n := strings.Count(s.Log.Raw(), "MESSAGE=Accepted password for "); n != worked || worked == 0 {
		t.Errorf("%d logins were accepted; the users' own were %d", n, worked)
	}
	penalties(t, "clear")
}

func report(t *testing.T, kinds map[string]*tally) {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	sort.Strings(names)
	const line = "%-32s %9v %9v %16v %11v %7v %9v"
	t.Logf(line, "kind", "attempts", "silence", "Login incorrect", "Try again", "other", "through")
	var sum tally
	for _, name := range names {
		k := kinds[name]
		t.Logf(line, name, k.attempts, k.silence, k.incorrect, k.tryAgain, k.other, k.through)
		sum = tally{sum.attempts + k.attempts, sum.silence + k.silence, sum.incorrect + k.incorrect, sum.tryAgain + k.tryAgain, sum.other + k.other, sum.through + k.through}
	}
	t.Logf(line, "all", sum.attempts, sum.silence, sum.incorrect, sum.tryAgain, sum.other, sum.through)
}
