package interop

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

// socat closes the connection half a second after the client has ended its input, and stunnel now and then cuts the end
// off what is still to come; neither does while the input is open.
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
				all.Go(func() {
					for range 5 {
						got, ended := attempt(t, bound, at.namespace, "", lab.Client(t), "-P", at.port, "-l", alice.Name, "-p", alice.Password,
							"-a", "-i", at.host, "sleep 1; head -c 300000 /dev/zero | tr '\\0' x")
						if n := strings.Count(got.out, "x"); !ended || n != 300000 || got.status != 0 {
							t.Errorf("%s bytes, ended %v, status %d, %q", strconv.Itoa(n), ended, got.status, got.err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}
