package e2e

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

func TestPortsThatAreNoneAreRefusedWithALine(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	for _, port := range []string{"65536", "99999", "100000", "4294967296", "18446744073709551617", "x", "-1", "+5", "1 2", " 5", "5 ", "000080", "0x50", "5\n", "\xff", "5.0",
		strings.Repeat("1", 4096), "1", "22", "512", "1023"} {
		t.Run(fmt.Sprintf("%.20q", port), func(t *testing.T) {
			r := request(u, "echo no")
			r.Port = port
			a := lab.Ask(t, s.Addr, r)
			wantMatch(t, "answer", string(a.All), "\x01[ -~]+\n")
			if a.Err != nil {
				t.Errorf("the connection ended with %v", a.Err)
			}
		})
	}
	s.Log.Wait(t, "Protocol error from 127.0.0.1 port ")
}

func TestNoPortAndPort0MeanNoStderrConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	for _, port := range []string{"", "0"} {
		r := request(u, "echo out; echo err >&2")
		r.Port = port
		wantOut(t, s.Addr, r, "out\nerr\n")
	}
}

func TestAStderrPortThatNobodyListensOnIsNamedInTheAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	a := lab.AskRaw(t, s.Addr, []byte("65000\x00")) // the answer comes without a name having been sent
	wantMatch(t, "answer", string(a.All), "\x01[ -~]*65000[ -~]*\n")
	wantMatch(t, "answer", strings.ToLower(string(a.All)), ".*connection refused.*")
	s.Log.Wait(t, "Protocol error from 127.0.0.1 port ")
}

func TestFieldsAreTakenUpToTheirLimitAndRefusedBehindIt(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{Password: "Secret of the long" + strings.Repeat("p", 511-18)})
	longest := ": " + strings.Repeat("x", 131071-7) + "; pwd"
	for _, c := range []struct {
		name string
		r    lab.Request
		want string
	}{
		{"user at its limit", lab.Request{User: strings.Repeat("u", 256)}, loginIncorrect},
		{"user over its limit", lab.Request{User: strings.Repeat("u", 257)}, "\x01username too long\n"},
		{"user far over its limit", lab.Request{User: strings.Repeat("u", 1<<20)}, "\x01username too long\n"},
		{"password at its limit", request(u, "pwd"), "\x00/home/" + u.Name + "\n"},
		{"password over its limit", lab.Request{User: u.Name, Password: u.Password + "p", Command: "pwd"}, "\x01password too long\n"},
		{"password far over its limit", lab.Request{User: u.Name, Password: strings.Repeat(u.Password, 2000), Command: "pwd"}, "\x01password too long\n"},
		{"command at its limit", request(u, longest), "\x00/home/" + u.Name + "\n"},
		{"command over its limit", request(u, longest+" "), "\x01command too long\n"},
		{"command far over its limit", request(u, strings.Repeat(longest, 20)), "\x01command too long\n"},
	} {
		t.Run(c.name, func(t *testing.T) { wantAll(t, s.Addr, c.r, c.want) })
	}
	if len(longest) != 131071 {
		t.Errorf("the longest command has %d bytes", len(longest))
	}
	s.Log.Wait(t, "Protocol error from 127.0.0.1 port ")
}

func TestAFieldThatIsTooLongIsRefusedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	for prefix, want := range map[string]string{"": "user", "u\x00": "password", "u\x00p\x00": "command"} {
		c := lab.Dial(t, s.Addr)
		if _, err := fmt.Fprintf(c, "\x00%s%s", prefix, strings.Repeat("x", 131072)); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c) // not half-closed: the server must not wait for more
		if !strings.HasPrefix(string(all), "\x01"+want) || !strings.HasSuffix(string(all), " too long\n") || err != nil {
			t.Errorf("answer %q, %v", all, err)
		}
	}
}

func TestARequestCutShortAnywhereIsClosedInSilence(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	all := request(u, "echo no").Bytes()
	for n := range all {
		if a := lab.AskRaw(t, s.Addr, all[:n]); len(a.All) != 0 || a.Err != nil {
			t.Errorf("after %q: %v", all[:n], a)
		}
	}
	s.Log.Wait(t, "Protocol error from 127.0.0.1 port ")
	for i := range len(all) {
		if state := s.Process(t, i).Wait(t); state.ExitCode() != 0 {
			t.Errorf("handler of a request of %d bytes: %v", i, state)
		}
	}
}

func TestARequestMayComeByteByByte(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	c := lab.Dial(t, s.Addr)
	c.SetNoDelay(true)
	for _, b := range append(request(u, "cat").Bytes(), "input"...) {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // so that most of them are segments of their own
	}
	c.CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "\x00input" || err != nil {
		t.Errorf("answer %q, %v", got, err)
	}
}

func TestWhatFollowsTheCommandInTheSameSegmentIsItsStandardInput(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	binary := make([]byte, 100_000)
	for i := range binary {
		binary[i] = byte(i * 7 >> 3)
	}
	for _, on := range []lab.Descriptors{lab.InOutErr, lab.InOut, lab.In, lab.ListenFDs} {
		s := serve(t, lab.Handler{On: on})
		a := lab.Ask(t, s.Addr, request(u, "exec cat"), binary...)
		if a.Status() != 0 || !bytes.Equal(a.All[1:], binary) || a.Err != nil {
			t.Errorf("descriptors %d: %v", on, a)
		}
		// Another reader than the shell's cat: nothing may be lost between two programs either.
		a = lab.Ask(t, s.Addr, request(u, "read a; echo got $a; exec cat"), []byte("one\ntwo\x00\x01three")...)
		if string(a.All) != "\x00got one\ntwo\x00\x01three" {
			t.Errorf("descriptors %d: %v", on, a)
		}
		if p := s.Process(t, 0); p.Wait(t).ExitCode() != 0 || p.Output() != "" {
			t.Errorf("descriptors %d: handler's end %v, output %q", on, p.Wait(t), p.Output())
		}
	}
}

func TestARefusalReachesAClientThatHasSentMore(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	u := newUser(t, lab.User{})
	atOnce(10, func() {
		a := lab.Ask(t, s.Addr, lab.Request{User: u.Name, Password: "x", Command: "cat"}, make([]byte, 300_000)...)
		if string(a.All) != loginIncorrect || a.Err != nil { // a reset can throw the text away before it is read
			t.Errorf("%v; want an orderly end", a)
		}
	})
}

func TestARefusalIsOneWrite(t *testing.T) {
	t.Parallel()
	s := serve(t, lab.Handler{})
	atOnce(10, func() { // a text in pieces would show as a short first read, if not every time
		c := lab.Dial(t, s.Addr)
		c.Write(lab.Request{User: "nosuch", Password: "x", Command: "id"}.Bytes())
		b := make([]byte, 100)
		if n, err := c.Read(b); string(b[:n]) != loginIncorrect {
			t.Errorf("first read %q, %v", b[:n], err)
		}
		c.Close()
	})
}

// atOnce runs f n times at the same time: refusals take their time on purpose.
func atOnce(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() { defer wg.Done(); f() }()
	}
	wg.Wait()
}
