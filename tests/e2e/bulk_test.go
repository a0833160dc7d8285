package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

const bulk = 64 << 20

func TestMuchBinaryArrivesAsItWasBothWaysAndOnStderr(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	block := make([]byte, 1<<20)
	rand.Read(block)
	want := sha256.New()
	for range bulk / len(block) {
		want.Write(block)
	}
	sum := fmt.Sprintf("%x", want.Sum(nil))
	for _, on := range []lab.Descriptors{lab.InOutErr, lab.ListenFDs} {
		s := serve(t, lab.Handler{On: on})
		for command, way := range map[string]string{"exec cat": "out", "exec cat >&2": "err", "exec sha256sum": "in"} {
			session := lab.Open(t, s.Addr, u.Name, u.Password, command).Started(t)
			go func() {
				defer session.Primary.CloseWrite()
				for range bulk / len(block) {
					if _, err := session.Primary.Write(block); err != nil {
						return
					}
				}
			}()
			var wg sync.WaitGroup
			got, errs := [2]string{}, [2]error{}
			var text bytes.Buffer
			for i, conn := range []*net.TCPConn{session.Primary, session.Stderr} {
				wg.Add(1)
				go func() {
					defer wg.Done()
					h := sha256.New()
					w := io.Writer(h)
					if i == 0 && way == "in" {
						w = io.MultiWriter(h, &text)
					}
					_, errs[i] = io.Copy(w, conn)
					got[i] = fmt.Sprintf("%x", h.Sum(nil))
				}()
			}
			wg.Wait()
			seen := map[string]string{"out": got[0], "err": got[1], "in": strings.TrimSuffix(text.String(), "  -\n")}[way]
			if err := errors.Join(errs[:]...); seen != sum || err != nil {
				t.Errorf("descriptors %d, %s: checksum %s, %v; want %s", on, command, seen, err, sum)
			}
		}
	}
}

func TestTwoHundredConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	const n = 200
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{})
	sessions := make([]*lab.Session, n)
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			sessions[i] = lab.Open(t, s.Addr, u.Name, u.Password, "echo begun; cat; echo err >&2")
		}()
	}
	wg.Wait()
	for _, session := range sessions { // all of them run now
		if session == nil {
			t.FailNow()
		}
		if line := session.Started(t).Line(t); line != "begun" {
			t.Fatalf("first line %q", line)
		}
	}
	for i, session := range sessions {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own := strings.Repeat(fmt.Sprintf("connection %d\n", i), 1000)
			go io.WriteString(session.Primary, own)
			if got := string(session.Next(t, len(own))); got != own {
				t.Errorf("connection %d got %.100q", i, got)
			}
			if a := session.Rest(t); len(a.All) != 0 || string(a.Stderr) != "err\n" || a.Err != nil {
				t.Errorf("connection %d: %v", i, a)
			}
		}()
	}
	wg.Wait()
	for i := range n {
		if state := s.Process(t, i).Wait(t); state.ExitCode() != 0 {
			t.Errorf("handler %d: %v", i, state)
		}
	}
	lab.Eventually(t, "every session in the log", func() bool {
		return strings.Count(s.Log.Raw(), "Accepted password") == n && strings.Count(s.Log.Raw(), "Session closed") == n
	})
}
