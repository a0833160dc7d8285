package attack

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// Every byte in every field, in amounts no client sends: a refusal or silence, and a server of
// the same size as before.
func TestEnormousAndBinaryFieldsAreRefusedInBoundedMemory(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	nul := string(make([]byte, 1<<20))
	bytes255 := func() string {
		var b strings.Builder
		for i := 1; i < 256; i++ {
			b.WriteByte(byte(i))
		}
		return b.String()
	}()
	for name, sent := range map[string]string{
		"NULs alone":             nul,
		"a port of NULs":         "\x00\x00\x00\x00",
		"ones":                   strings.Repeat("1", 1<<20),
		"a user without end":     "\x00" + strings.Repeat("u", 8<<20),
		"a password without end": "\x00u\x00" + strings.Repeat("p", 8<<20),
		"a command without end":  "\x00u\x00p\x00" + strings.Repeat("c", 8<<20),
		"every byte as user":     "\x00" + bytes255 + "\x00p\x00c\x00",
		"every byte as password": "\x00" + u.Name + "\x00" + bytes255 + "\x00c\x00",
		"format characters":      "\x00%n%n%s%s%999999d\x00%n%n\x00%n%s\x00",
		"terminal commands":      "\x00\x1b]0;owned\x07\x1b[2J\x00\x1b[2J\x00\x1b[2J\x00",
		"a name of a path":       "\x00../../../../etc/shadow\x00x\x00c\x00",
		"a name as an option":    "\x00-froot\x00x\x00c\x00",
		"a name of newlines":     "\x00root\nAccepted password for root from 127.0.0.1 port 1\x00x\x00c\x00",
		"HTTP":                   "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"TLS":                    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("r", 508),
		"SSH":                    "SSH-2.0-OpenSSH_9.9\r\n",
		"rsh":                    "1022\x00root\x00root\x00id\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, lab.Handler{})
			c := lab.Dial(t, s.Addr)
			go io.WriteString(c, sent+"\x00\x00\x00\x00")
			first := make([]byte, 1)
			c.Read(first) // the server now waits for the peer to close
			if kb, _ := strconv.Atoi(strings.TrimSuffix(status(s.Process(t, 0).Pid, "VmHWM"), " kB")); kb > 20<<10 {
				t.Errorf("the handler needed %d kB", kb)
			} else {
				t.Logf("the handler needed %d kB", kb)
			}
			c.CloseWrite()
			rest, _ := io.ReadAll(c)
			all := append(first, rest...)
			silent := all[0] == 0 && len(rest) == 0
			if !silent && (all[0] != 1 || bytes.Count(all, []byte("\n")) != 1 || all[len(all)-1] != '\n') {
				t.Errorf("answer %q", all)
			}
			allGone(t, s)
			for _, r := range s.Log.Records() {
				if strings.ContainsAny(r["MESSAGE"], "\n\x1b\x07") || strings.HasPrefix(r["MESSAGE"], "Accepted") {
					t.Errorf("the log was written to by a peer: %q", r["MESSAGE"])
				}
			}
			served(t, s.Addr, u)
		})
	}
}

// Random bytes with the shape of a request, many at once.
func TestRandomRequestsGetARefusalOrSilence(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "grace = 2"})
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 40 {
				var b []byte
				for range rand.IntN(6) {
					for range rand.IntN(1 << rand.IntN(12)) {
						b = append(b, byte(rand.IntN(256)))
					}
					b = append(b, 0)
				}
				if len(b) > 0 && rand.IntN(2) == 0 {
					b[0] = 0 // no port: on to the names
				}
				if a := lab.AskRaw(t, s.Addr, b); len(a.All) > 0 && (a.All[0] != 1 || a.All[len(a.All)-1] != '\n') {
					t.Errorf("%.100q: %v", b, a)
				}
			}
		}()
	}
	wait.Wait()
	served(t, s.Addr, u)
	if n := strings.Count(s.Log.Raw(), "Internal error"); n > 0 {
		t.Errorf("%d internal errors: %q", n, s.Log.Raw())
	}
}

// Half-open handlers pile up to what the super-server permits, each small, and go at the grace
// time.
func TestAFloodOfHalfOpenHandlersEndsByItself(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "grace = 4"})
	const many = 150
	begin := time.Now()
	for i := range many {
		c := lab.Dial(t, s.Addr)
		fmt.Fprintf(c, "%.*s", i%12, "\x00user\x00passwd")
	}
	lab.Eventually(t, "the handlers", func() bool { return len(s.Processes()) == many })
	private := 0
	for _, p := range s.Processes() {
		private += lab.PrivateDirty(p.Pid)
	}
	t.Logf("%d half-open handlers, %d kB of memory of their own each", many, private/many)
	served(t, s.Addr, u) // meanwhile
	allGone(t, s)
	if took := time.Since(begin); took > 4*time.Second+2*lab.Patience {
		t.Errorf("they were there for %v", took)
	}
}
