package job

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// pass sends writes through a filter and returns what is left of them, and the
// status of the last marker, or -1.
func pass(t *testing.T, m *marker, writes ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	f := &filter{marker: m, out: &out}
	for _, w := range writes {
		if n, err := f.Write([]byte(w)); n != len(w) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", w, n, err)
		}
	}
	if err := f.flush(); err != nil {
		t.Fatal(err)
	}
	if f.found {
		return out.String(), f.status
	}
	return out.String(), -1
}

func TestMarkerIsRemovedHoweverItIsSplit(t *testing.T) {
	m := newMarker()
	mark := fmt.Sprintf("%s42\n", m.begin)
	for _, around := range [][2]string{{"", ""}, {"before", ""}, {"before\n", "after\n"}, {"\x1e", "\x1e"},
		{"\x1erexec ", "x"}, {string(m.begin), "1"}, {string(m.begin) + "x", ""}} {
		all := around[0] + mark + around[1]
		want := around[0] + around[1]
		for i := range len(all) {
			for _, j := range []int{i, i + 1, i + 7, len(all)} {
				j = min(j, len(all))
				if got, status := pass(t, m, all[:i], all[i:j], all[j:]); got != want || status != 42 {
					t.Fatalf("%q + %q + %q became %q with status %d; want %q, 42", all[:i], all[i:j], all[j:], got, status, want)
				}
			}
		}
		bytewise := strings.Split(all, "")
		if got, status := pass(t, m, bytewise...); got != want || status != 42 {
			t.Errorf("%q byte by byte became %q with status %d", all, got, status)
		}
	}
}

func TestWhatIsNoMarkerStays(t *testing.T) {
	m := newMarker()
	begin := string(m.begin)
	for _, text := range []string{
		"", "x", "\x1e", begin, begin + "1", begin + "\n", begin + "256\n", begin + "-1\n", begin + "+1\n",
		begin + "1 \n", begin + "1x", begin + "1111111111111111111", begin + "0001\n",
		strings.Replace(begin, m.token, newMarker().token, 1) + "0\n", "\x1e\x1e\x1e\x1e" + begin[:10],
	} {
		if got, status := pass(t, m, text); got != text || status != -1 {
			t.Errorf("%q became %q with status %d", text, got, status)
		}
		if got, status := pass(t, m, strings.Split(text, "")...); got != text || status != -1 {
			t.Errorf("%q byte by byte became %q with status %d", text, got, status)
		}
	}
}

// A prompt without a newline must be seen at once.
func TestFilterHoldsNothingBackThatIsNoBeginning(t *testing.T) {
	m := newMarker()
	var out bytes.Buffer
	f := &filter{marker: m, out: &out}
	f.Write([]byte("login: r"))
	if out.String() != "login: r" {
		t.Errorf("%q was passed on", out.String())
	}
	f.Write(append([]byte("x"), m.begin...))
	f.Write(bytes.Repeat([]byte("1"), 1000))
	if len(f.buffered) > 0 {
		t.Errorf("%d bytes are left in the buffer", len(f.buffered))
	}
}

// FuzzFilter: output with a marker at any place, cut anywhere, comes out
// without it and otherwise the same.
func FuzzFilter(f *testing.F) {
	f.Add([]byte("before\x1erexec "), []byte("after"), uint64(1))
	f.Add([]byte(""), []byte("\x1e"), uint64(2))
	f.Fuzz(func(t *testing.T, before, after []byte, seed uint64) {
		m := newMarker()
		random := rand.New(rand.NewPCG(seed, 0))
		all := string(before) + fmt.Sprintf("%s%d\n", m.begin, seed%256) + string(after)
		var writes []string
		for rest := all; rest != ""; {
			n := 1 + random.IntN(min(len(rest), 40))
			writes, rest = append(writes, rest[:n]), rest[n:]
		}
		got, status := pass(t, m, writes...)
		if got != string(before)+string(after) || status != int(seed%256) {
			t.Errorf("%q became %q with status %d", writes, got, status)
		}
	})
}

// A marker that a command got hold of in time changes nothing: the shell's own
// comes last. On the output it is output, where standard error is apart.
func TestTheLastMarkerHolds(t *testing.T) {
	m := newMarker()
	forged := string(m.begin) + "0\n"
	if _, status := pass(t, m, "x"+forged+"y"+forged, string(m.begin)+"7\n"); status != 7 {
		t.Errorf("status %d, want 7", status)
	}
	var out bytes.Buffer
	f := &filter{marker: m, out: &out, off: func() bool { return true }}
	f.Write([]byte(forged))
	if f.flush(); f.found || out.String() != forged {
		t.Errorf("output %q, status %v", out.String(), f.found)
	}
}
