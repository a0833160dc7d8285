package interop

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// socat closes the connection half a second after the client has ended its input, and stunnel now
// and then cuts the end off what is still to come; neither does while the input is open.
func TestAnOpenInputSurvivesSocatAndStunnel(t *testing.T) {
	t.Parallel()
	prepare(t)
	for _, p := range []struct {
		name string
		line func(t testing.TB, listen, to string) []string
	}{{"socat", socat}, {"stunnel", stunnel}} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			at := proxied(t, p.line)
			var all sync.WaitGroup
			for range 4 {
				all.Add(1)
				go func() {
					defer all.Done()
					for range 5 {
						got, ended := attempt(t, bound, at.namespace, "", lab.Client(t), "-P", at.port, "-l", alice.Name, "-p", alice.Password,
							"-a", "-c", at.host, "sleep 1; head -c 300000 /dev/zero | tr '\\0' x")
						if n := strings.Count(got.out, "x"); !ended || n != 300000 || got.status != 0 {
							t.Errorf("%s bytes, ended %v, status %d, %q", strconv.Itoa(n), ended, got.status, got.err)
						}
					}
				}()
			}
			all.Wait()
		})
	}
}

// A proxy that ends an idle connection ends it as the server would: with the exit status alone
// can a client know.
func TestOnlyStatusNoticesAProxysTimeout(t *testing.T) {
	t.Parallel()
	prepare(t)
	at := proxied(t, func(t testing.TB, listen, to string) []string {
		line := haproxy(t, listen, to)
		text, err := os.ReadFile(line[len(line)-1])
		if err != nil {
			t.Fatal(err)
		}
		line[len(line)-1] = file(t, strings.ReplaceAll(string(text), "30s", "5s"))
		return line
	})
	const command = "echo early; sleep 1000"
	for _, c := range []struct {
		option string
		status int
	}{{"-a", 0}, {"--status", 255}} {
		got := rexec(t, at, alice, "", "-a", c.option, command)
		if got.out != "early\n" || got.status != c.status {
			t.Errorf("%s: %+v; want status %d", c.option, got, c.status)
		}
	}
}

// The server's refusal ends the waiting for a connection that cannot come.
func TestOurClientGivesUpBehindAMasqueradingGateway(t *testing.T) {
	t.Parallel()
	prepare(t)
	for _, b := range betweens[:2] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			got := rexec(t, b.open(t), alice, "", "echo no")
			want, limit := "[Cc]onnection refused", 10*time.Second
			if strings.Contains(b.name, "drops") {
				want, limit = "[Tt]im", bound // "timed out" or the like, after the server's 10 seconds
			}
			want = "cannot connect to stderr port [0-9]+: .*" + want
			if got.out != "" || got.status == 0 || got.took > limit || !regexp.MustCompile(want).MatchString(got.err) {
				t.Errorf("%+v; want %q within %v", got, want, limit)
			}
			t.Logf("after %v: %s", got.took.Round(time.Second/10), got.err)
		})
	}
}
