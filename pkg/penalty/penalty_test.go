package penalty

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func newTable(dir string) *Table {
	t := defaults()
	t.Dir = filepath.Join(dir, "state")
	return t
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// fail adds n failures and returns the last result.
func fail(t *testing.T, table *Table, from string, kind Kind, n int) *Penalty {
	t.Helper()
	var p *Penalty
	for range n {
		var err error
		if p, err = table.Add(addr(from), "", kind); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func refused(t *testing.T, table *Table, from string) bool {
	t.Helper()
	p, err := table.Check(addr(from), "")
	if err != nil {
		t.Fatal(err)
	}
	return p != nil
}

func TestFailuresAddUpUntilTheSourceIsRefused(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		last int // failures that are still let pass
	}{{AuthFail, 3}, {NoAuth, 15}, {GraceExceeded, 1}, {Protocol, 1}} {
		t.Run(c.kind.String(), func(t *testing.T) {
			table := newTable(t.TempDir())
			if refused(t, table, "192.0.2.7") {
				t.Fatal("a source nothing is known of is refused")
			}
			fail(t, table, "192.0.2.7", c.kind, c.last)
			if refused(t, table, "192.0.2.7") {
				t.Fatalf("refused after %d", c.last)
			}
			// The time that the failures themselves took has run off.
			p := fail(t, table, "192.0.2.7", c.kind, 1)
			if !p.Active || p.Last != c.kind || p.Left <= table.Min || !refused(t, table, "192.0.2.7") {
				t.Fatalf("after %d more: %v", 1, p)
			}
			if refused(t, table, "192.0.2.8") {
				t.Error("its neighbour is refused as well")
			}
		})
	}
}

func TestAPenaltyRunsOffAndNeverExceedsTheMaximum(t *testing.T) {
	table := newTable(t.TempDir())
	table.Min, table.Max = 20*time.Millisecond, 2*time.Second
	if p := fail(t, table, "2001:db8::1", AuthFail, 1000); p.Left > table.Max {
		t.Errorf("%v left, more than %v", p.Left, table.Max)
	}
	if !refused(t, table, "2001:db8::1") {
		t.Error("not refused")
	}
	for deadline := time.Now().Add(20 * time.Second); refused(t, table, "2001:db8::1"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("refused for ever")
		}
	}
	if list, err := table.List(); len(list) != 0 || err != nil {
		t.Errorf("List = %v, %v; want none", list, err)
	}
	table.Amount[AuthFail] = time.Millisecond
	if p := fail(t, table, "2001:db8::1", AuthFail, 1); p.Active {
		t.Errorf("what has run off counts still: %v", p)
	}
}

func TestASourceIsANetwork(t *testing.T) {
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"192.0.2.7", "::ffff:192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"2001:db8::1", "2001:db8::ffff:1:2:3", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"127.0.0.1", "127.255.1.2", true}, // any local user has all of them
		{"fe80::1%1", "fe80::1%2", true},
		{"fe80::1%1", "fe80::2%1", false}, // a neighbour is not the same host
		{"::1", "::2", false},
	} {
		table := newTable(t.TempDir())
		fail(t, table, c.one, AuthFail, 4)
		if got := refused(t, table, c.other); got != c.same {
			t.Errorf("after failures from %s, %s refused = %v; want %v", c.one, c.other, got, c.same)
		}
	}
	table := newTable(t.TempDir())
	table.Bits4, table.Bits6 = 24, 48
	fail(t, table, "192.0.2.7", AuthFail, 4)
	fail(t, table, "2001:db8:0:1::1", AuthFail, 4)
	if !refused(t, table, "192.0.2.99") || !refused(t, table, "2001:db8:0:2::2") {
		t.Error("the length of the networks is not heeded")
	}
}

func TestExemptSourcesAndFreeFailuresLeaveNoTrace(t *testing.T) {
	table := newTable(t.TempDir())
	table.Exempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	table.Amount[NoAuth] = 0
	for _, from := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"} {
		fail(t, table, from, AuthFail, 100)
	}
	fail(t, table, "198.51.100.1", NoAuth, 100)
	if _, err := os.Stat(table.Dir); !os.IsNotExist(err) {
		t.Errorf("the state was made: %v", err)
	}
	// Made exempt later, as an administrator would.
	fail(t, table, "198.51.100.1", AuthFail, 4)
	table.Exempt = append(table.Exempt, netip.MustParsePrefix("198.51.100.1/32"))
	if refused(t, table, "198.51.100.1") {
		t.Error("an exempt source is refused")
	}
}

func TestListAndClear(t *testing.T) {
	table := newTable(t.TempDir())
	if list, err := table.List(); len(list) != 0 || err != nil {
		t.Errorf("List of no state = %v, %v", list, err)
	}
	if found, err := table.Clear(addr("192.0.2.1")); found || err != nil {
		t.Errorf("Clear of no state = %v, %v", found, err)
	}
	fail(t, table, "192.0.2.1", AuthFail, 4)
	fail(t, table, "192.0.2.2", NoAuth, 1)
	fail(t, table, "2001:db8::5", Protocol, 2)
	list, err := table.List()
	got := map[string]bool{}
	for _, p := range list {
		got[fmt.Sprint(p.Source, " ", p.Last, " ", p.Active)] = true
	}
	if err != nil || len(got) != 3 || !got["192.0.2.1/32 authfail true"] || !got["192.0.2.2/32 noauth false"] || !got["2001:db8::/64 protocol true"] {
		t.Errorf("List = %v, %v", list, err)
	}
	if found, err := table.Clear(addr("2001:db8::77")); !found || err != nil || refused(t, table, "2001:db8::5") {
		t.Errorf("Clear = %v, %v", found, err)
	}
	if !refused(t, table, "192.0.2.1") {
		t.Error("Clear forgot another source")
	}
	if err := table.ClearAll(); err != nil || refused(t, table, "192.0.2.1") {
		t.Errorf("ClearAll: %v", err)
	}
	if list, err := table.List(); len(list) != 0 || err != nil {
		t.Errorf("List after ClearAll = %v, %v", list, err)
	}
}

func TestAFloodOfSourcesCannotMakeTheStateGrow(t *testing.T) {
	table := newTable(t.TempDir())
	fail(t, table, "192.0.2.1", AuthFail, 100)
	f, err := table.open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := f.readHeader(); err != nil {
		t.Fatal(err)
	}
	// Straight into the table: twice as many networks as an IPv6 /48 has, each with
	// a penalty of the minimum.
	now, _ := now()
	for i := range 1 << 17 {
		addr := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 16), byte(i >> 8), byte(i)})
		network := origin{source: netip.PrefixFrom(addr, 64)}
		s := slot{origin: network, expiry: now + 16*time.Second, active: true}
		home := f.home(s.origin)
		var b bucket
		if err := f.readBucket(home, &b); err != nil {
			t.Fatal(err)
		}
		if err := f.writeSlot(home, f.victim(&b, s.source, now, table.Max), s); err != nil {
			t.Fatal(err)
		}
	}
	st, err := os.Stat(f.path)
	if err != nil || st.Size() > stateSize {
		t.Errorf("the state has %d bytes, %v; want at most %d", st.Size(), err, stateSize)
	}
	if names, err := os.ReadDir(table.Dir); len(names) != 1 || err != nil {
		t.Errorf("%d files in the directory, %v", len(names), err)
	}
	if !refused(t, table, "192.0.2.1") {
		t.Error("IPv6 sources pushed an IPv4 source out")
	}
	if refused(t, table, "2001:db9::1") {
		t.Error("a full table refuses a source that did nothing")
	}
	// A source with a long penalty stays where short ones come and go.
	fail(t, table, "2001:db9::1", AuthFail, 100)
	for i := range 1 << 14 {
		addr := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0xff, byte(i >> 8), byte(i)})
		if _, err := table.Add(addr, "", AuthFail); err != nil {
			t.Fatal(err)
		}
	}
	if !refused(t, table, "2001:db9::1") {
		t.Error("short penalties pushed a long one out")
	}
}

func TestASourceInAFullBucketTakesThePenaltyThatEndsFirst(t *testing.T) {
	f, none := &stateFile{}, netip.Prefix{}
	var b bucket
	for i := range ways {
		s := slot{origin: origin{source: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32)},
			expiry: time.Duration(100+(i+5)%ways) * tick}
		copy(b.slot(i), f.encode(s))
	}
	if got := f.victim(&b, none, tick, 1000*tick); got != 3 {
		t.Errorf("victim = %d; want 3, which ends first", got)
	}
	clear(b.slot(6))
	if got := f.victim(&b, none, tick, 1000*tick); got != 6 {
		t.Errorf("victim = %d; want 6, which is free", got)
	}
	if got := f.victim(&b, none, 106*tick, 1000*tick); got == 2 {
		t.Errorf("victim = %d, the only one that has not ended", got)
	}
}

func BenchmarkCheck(b *testing.B) {
	table := newTable(b.TempDir())
	table.Add(addr("192.0.2.1"), "", AuthFail)
	for b.Loop() {
		table.Check(addr("192.0.2.2"), "")
	}
}

func BenchmarkAdd(b *testing.B) {
	table := newTable(b.TempDir())
	for b.Loop() {
		table.Add(addr("192.0.2.1"), "", AuthFail)
	}
}

func BenchmarkCheckShared(b *testing.B) {
	table := newShared(b.TempDir())
	table.Add(addr("192.0.2.1"), "alice", AuthFail)
	for b.Loop() {
		table.Check(addr("192.0.2.1"), "bob")
	}
}

// defaults are those of rexecd.toml(5).
func defaults() *Table {
	amount := [kinds]time.Duration{AuthFail: 5 * time.Second, NoAuth: time.Second}
	amount[GraceExceeded], amount[Protocol] = 10*time.Second, 10*time.Second
	return &Table{
		Amount: amount,
		Min:    15 * time.Second,
		Max:    10 * time.Minute,
		Bits4:  32,
		Bits6:  64,
	}
}
