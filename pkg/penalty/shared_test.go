package penalty

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// newShared returns a table for which 192.0.2.0/28 and 2001:db8:5::/48 are shared.
func newShared(dir string) *Table {
	t := newTable(dir)
	t.Shared = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("2001:db8:5::/48")}
	return t
}

func failAs(t *testing.T, table *Table, from, user string, n int) (p *Penalty) {
	t.Helper()
	for range n {
		var err error
		if p, err = table.Add(addr(from), user, AuthFail); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func refusedAs(t *testing.T, table *Table, from, user string) bool {
	t.Helper()
	p, err := table.Check(addr(from), user)
	if err != nil {
		t.Fatal(err)
	}
	return p != nil
}

func TestUsersBehindASharedSourceArePenalisedAlone(t *testing.T) {
	for _, from := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8:5::1"} {
		table := newShared(t.TempDir())
		if p := failAs(t, table, from, "alice", 4); p == nil || !p.Active || p.User == 0 {
			t.Errorf("%s: Add = %v; want an active penalty of a user", from, p)
		}
		for user, want := range map[string]bool{"alice": true, "bob": false, "alic": false, "alice2": false, "": false} {
			if got := refusedAs(t, table, from, user); got != want {
				t.Errorf("%s: %q refused = %v; want %v", from, user, got, want)
			}
		}
		// The same user elsewhere: behind another shared source, and where every
		// user is one source.
		for _, other := range []string{"192.0.2.2", "2001:db8:5:1::1", "192.0.2.99", "2001:db8::1"} {
			if refusedAs(t, table, other, "alice") {
				t.Errorf("alice is refused at %s for failures at %s", other, from)
			}
		}
	}
}

func TestElsewhereTheUserNameChangesNothing(t *testing.T) {
	table := newShared(t.TempDir())
	for _, user := range []string{"alice", "bob", "", "carol"} {
		failAs(t, table, "192.0.2.99", user, 1)
	}
	if !refusedAs(t, table, "192.0.2.99", "dave") || !refusedAs(t, table, "192.0.2.99", "") {
		t.Error("a source that tries one name after the other is not refused")
	}
}

func TestASharedSourceIsNotChargedWhileTheUserIsUnknown(t *testing.T) {
	table := newShared(t.TempDir())
	for kind := range kinds {
		for range 100 {
			if p, err := table.Add(addr("192.0.2.1"), "", kind); p != nil || err != nil {
				t.Fatalf("Add of %v without a user = %v, %v", kind, p, err)
			}
		}
	}
	if _, err := os.Stat(table.Dir); !os.IsNotExist(err) {
		t.Errorf("the state was made: %v", err)
	}
	table.Exempt = table.Shared
	if p, err := table.Add(addr("192.0.2.1"), "alice", AuthFail); p != nil || err != nil {
		t.Errorf("Add for an exempt source = %v, %v", p, err)
	}
}

func TestSpellingsOfANameShareOneBudget(t *testing.T) {
	table := newShared(t.TempDir())
	for _, user := range []string{"Alice", "ALICE", " alice", "ali ce\t"} {
		failAs(t, table, "192.0.2.1", user, 1)
	}
	if !refusedAs(t, table, "192.0.2.1", "alice") {
		t.Error("each spelling of alice has guesses of its own")
	}
	failAs(t, table, "192.0.2.1", "stra\u00dfe\u017f\u212a", 4)
	if !refusedAs(t, table, "192.0.2.1", "STRA\u00dfESk") {
		t.Error("letters with more than two cases are different names")
	}
	failAs(t, table, "192.0.2.1", "M\xfcLLER ", 4) // Latin-1
	for user, want := range map[string]bool{"m\xfcller": true, "m\xf6ller": false, "m\ufffdller": false, "M\xfcller": true} {
		if got := refusedAs(t, table, "192.0.2.1", user); got != want {
			t.Errorf("%q refused = %v; want %v", user, got, want)
		}
	}
}

func TestTheStateHoldsNoNames(t *testing.T) {
	table := newShared(t.TempDir())
	const name = "hunter2-typed-too-early"
	failAs(t, table, "192.0.2.1", name, 4)
	text, err := os.ReadFile(filepath.Join(table.Dir, stateName))
	if err != nil || bytes.Contains(text, []byte("hunter2")) {
		t.Errorf("the state holds the name, %v", err)
	}
	other := newShared(t.TempDir()) // another key
	if a, b := failAs(t, table, "192.0.2.1", name, 1), failAs(t, other, "192.0.2.1", name, 1); a.User == b.User {
		t.Errorf("both states have the mark %08x: the hash is not keyed", a.User)
	}
}

func TestListAndClearKnowUsersOfSharedSources(t *testing.T) {
	table := newShared(t.TempDir())
	p := failAs(t, table, "192.0.2.1", "alice", 4)
	failAs(t, table, "192.0.2.1", "bob", 4)
	failAs(t, table, "192.0.2.2", "alice", 4)
	failAs(t, table, "192.0.2.99", "alice", 4)
	list, err := table.List()
	if err != nil || len(list) != 4 {
		t.Fatalf("List = %v, %v; want four", list, err)
	}
	var origins []string
	for i := range list {
		origins = append(origins, list[i].Origin())
	}
	all := strings.Join(origins, "\n")
	if n := len(regexp.MustCompile(`(?m)^192\.0\.2\.[12]/32 user [0-9a-f]{8}$`).FindAllString(all, -1)); n != 3 || !strings.Contains(all, "192.0.2.99/32") {
		t.Errorf("List has the origins\n%s", all)
	}
	if want := fmt.Sprintf("penalty of 192.0.2.1/32 user %08x for authfail, 20s left", p.User); p.String() != want {
		t.Errorf("String() = %s; want %s", p, want)
	}
	// Also when the source is no longer a shared one.
	table.Shared = table.Shared[1:]
	for _, want := range []bool{true, false} {
		if found, err := table.Clear(addr("192.0.2.1")); found != want || err != nil {
			t.Errorf("Clear = %v, %v; want %v", found, err, want)
		}
	}
	if list, err := table.List(); err != nil || len(list) != 2 {
		t.Errorf("List after Clear = %v, %v; want the two other sources", list, err)
	}
}

// The attacker has one shared address and as many user names as there are entries
// in the state, ten times over.
func TestMadeUpNamesPushOutNobodyElsesPenalty(t *testing.T) {
	table := newShared(t.TempDir())
	const unshared = 1000 // of each family
	for i := range unshared {
		for _, peer := range []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
			netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 9, 0, byte(i >> 8), byte(i)})} {
			if _, err := table.Add(peer, "", AuthFail); err != nil {
				t.Fatal(err)
			}
		}
	}
	failAs(t, table, "192.0.2.99", "", 4)     // unshared
	failAs(t, table, "2001:db8::1", "", 4)    // unshared
	failAs(t, table, "192.0.2.2", "alice", 4) // behind another shared source
	failAs(t, table, "2001:db8:5::1", "alice", 4)
	failAs(t, table, "192.0.2.1", "alice", 100) // behind the attacker's own
	f, err := table.open(false)
	if err != nil || f.readHeader() != nil {
		t.Fatal(err)
	}
	defer f.close()
	// As Add does it, with penalties that end later than those of the others; Add
	// itself would need a minute.
	now, _ := now()
	source := table.source(addr("192.0.2.1"))
	for i := range 10 * perRegion * ways {
		o := f.origin(source, true, fmt.Sprint("user", i))
		home := f.home(o)
		var b bucket
		if err := f.readBucket(home, &b); err != nil {
			t.Fatal(err)
		}
		s := slot{origin: o, expiry: now + 60*time.Second, active: true}
		if err := f.writeSlot(home, f.victim(&b, source, now, table.Max), s); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []struct{ from, user string }{
		{"192.0.2.99", "x"}, {"2001:db8::1", "x"}, {"192.0.2.2", "alice"}, {"2001:db8:5::1", "alice"}, {"192.0.2.1", "alice"},
	} {
		if !refusedAs(t, table, other.from, other.user) {
			t.Errorf("the penalty of %s, %s was pushed out", other.from, other.user)
		}
	}
	watched := 0
	for home := range sharedRegion {
		var b bucket
		if err := f.readBucket(home, &b); err != nil {
			t.Fatal(err)
		}
		for i := range ways {
			if _, ok := f.decode(b.slot(i)); ok {
				watched++
			}
		}
	}
	if watched != 2*unshared+2 {
		t.Errorf("%d unshared sources are left of %d", watched, 2*unshared+2)
	}
	if st, err := os.Stat(f.path); err != nil || st.Size() > stateSize {
		t.Errorf("the state has %d bytes, %v; want at most %d", st.Size(), err, stateSize)
	}
	// And no name is out of the others' reach: another source's users get their slots.
	for i := range 100 {
		if user := fmt.Sprint("user", i); !failAs(t, table, "192.0.2.2", user, 4).Active || !refusedAs(t, table, "192.0.2.2", user) {
			t.Errorf("%s behind another shared source is not penalised", user)
		}
	}
	if refusedAs(t, table, "192.0.2.2", "carol") {
		t.Error("a full table refuses a user who did nothing")
	}
	if found, err := table.Clear(addr("192.0.2.1")); !found || err != nil {
		t.Errorf("Clear = %v, %v", found, err)
	}
	if list, err := table.List(); err != nil ||
		slices.ContainsFunc(list, func(p Penalty) bool { return p.Source == source }) ||
		!refusedAs(t, table, "192.0.2.2", "user1") {
		t.Errorf("Clear left penalties of the source, or took another's: %d, %v", len(list), err)
	}
}

func TestTheSourceWithMostOfABucketGivesOneUp(t *testing.T) {
	sources := [...]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32"), netip.MustParsePrefix("192.0.2.3/32")}
	for _, c := range []struct {
		bucket string // the source of each slot; the first ends last
		from   int    // the source that needs a slot
		want   int
	}{
		{"00000001", 0, 6}, // its own
		{"00000001", 1, 6},
		{"00000001", 2, 6},
		{"11111110", 0, 6},
		{"00001111", 0, 3}, // as many as the other: its own
		{"00001111", 1, 7},
		{"00011122", 2, 5}, // which ends first of those with most
		{"22200011", 2, 2},
	} {
		f := &stateFile{}
		var b bucket
		for i, which := range c.bucket {
			o := origin{sources[which-'0'], uint32(i + 1)}
			copy(b.slot(i), f.encode(slot{origin: o, expiry: time.Duration(100-i) * tick}))
		}
		if got := f.victim(&b, sources[c.from], tick, 1000*tick); got != c.want {
			t.Errorf("%s: source %d takes slot %d; want %d", c.bucket, c.from, got, c.want)
		}
	}
}

func TestAStateOfTheOlderFormatIsReplaced(t *testing.T) {
	table := newShared(t.TempDir())
	fail(t, table, "192.0.2.99", AuthFail, 4)
	path := filepath.Join(table.Dir, stateName)
	// A valid header of format 1, whose slots had another layout.
	f, err := table.open(false)
	if err != nil || f.readHeader() != nil {
		t.Fatal(err)
	}
	defer f.close()
	h := append([]byte("in.rexecd pen 1\n"), f.key[:]...)
	h = binary.LittleEndian.AppendUint64(h, sipHash(&f.key, h[:16]))
	if err := f.write(h, 0); err != nil {
		t.Fatal(err)
	}
	if refused(t, table, "192.0.2.99") {
		t.Error("refused by a state of format 1")
	}
	if list, err := table.List(); len(list) != 0 || err != nil {
		t.Errorf("List = %v, %v; want none", list, err)
	}
	if found, err := table.Clear(addr("192.0.2.99")); found || err != nil {
		t.Errorf("Clear = %v, %v", found, err)
	}
	fail(t, table, "192.0.2.98", AuthFail, 4)
	text, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(text, []byte(magic)) || !refused(t, table, "192.0.2.98") || refused(t, table, "192.0.2.99") {
		t.Errorf("the next failure did not replace the state: %.16q, %v", text, err)
	}
}
