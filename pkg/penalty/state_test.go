package penalty

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSipHashOfTheReference(t *testing.T) {
	// vectors_sip64 of the reference implementation: key 00..0f, input 00, 00 01, …
	var key [16]byte
	for i := range key {
		key[i] = byte(i)
	}
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 8: 0x93f5f5799a932462,
		15: 0xa129ca6149be45e5, 63: 0x958a324ceb064572} {
		in := make([]byte, n)
		for i := range in {
			in[i] = byte(i)
		}
		if got := sipHash(&key, in); got != want {
			t.Errorf("sipHash of %d bytes = %#x; want %#x", n, got, want)
		}
	}
}

func TestTheStateIsRootsAlone(t *testing.T) {
	table := newTable(t.TempDir())
	fail(t, table, "192.0.2.1", AuthFail, 1)
	for path, want := range map[string]os.FileMode{table.Dir: os.ModeDir | 0o700,
		filepath.Join(table.Dir, stateName): 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, st.Mode(), err, want)
		}
	}
}

// What somebody else could have put in the state's place is neither read nor written.
func TestAStateThatOthersCouldHaveMadeIsNotUsed(t *testing.T) {
	mkdir := func(t *testing.T, dir string) {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir, file string) error
	}{
		{"the directory is a symbolic link", func(t *testing.T, dir, _ string) error { mkdir(t, dir+"2"); return os.Symlink(dir+"2", dir) }},
		{"the directory is a file", func(t *testing.T, dir, _ string) error { return os.WriteFile(dir, nil, 0o600) }},
		{"others may write to the directory", func(t *testing.T, dir, _ string) error { mkdir(t, dir); return os.Chmod(dir, 0o777) }},
		{"a group may write to the directory", func(t *testing.T, dir, _ string) error { mkdir(t, dir); return os.Chmod(dir, 0o770) }},
		{"another's directory", func(t *testing.T, dir, _ string) error { mkdir(t, dir); return os.Chown(dir, 1234, 1234) }},
		{"the file is a symbolic link", func(t *testing.T, dir, file string) error {
			mkdir(t, dir)
			return os.Symlink(dir+"/../victim", file)
		}},
		{"the file has another name", func(t *testing.T, dir, file string) error { mkdir(t, dir); return os.Link(dir+"/../victim", file) }},
		{"the file is a directory", func(t *testing.T, dir, file string) error { mkdir(t, dir); return os.Mkdir(file, 0o700) }},
		{"the file is a FIFO", func(t *testing.T, dir, file string) error { mkdir(t, dir); return syscall.Mkfifo(file, 0o600) }},
		{"others may write to the file", func(t *testing.T, dir, file string) error {
			mkdir(t, dir)
			return os.WriteFile(file, nil, 0o602)
		}},
		{"others may read the file", func(t *testing.T, dir, file string) error { mkdir(t, dir); return os.WriteFile(file, nil, 0o604) }},
		{"another's file", func(t *testing.T, dir, file string) error {
			mkdir(t, dir)
			os.WriteFile(file, nil, 0o600)
			return os.Chown(file, 1234, 1234)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if os.Geteuid() != 0 && strings.HasPrefix(c.name, "another's") {
				lacking(t, "only root can give a file away")
			}
			defer syscall.Umask(syscall.Umask(0))
			root := t.TempDir()
			victim := filepath.Join(root, "victim")
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			table := newTable(root)
			if err := c.make(t, table.Dir, filepath.Join(table.Dir, stateName)); err != nil {
				t.Fatal(err)
			}
			if p, err := table.Add(addr("192.0.2.1"), "", AuthFail); err == nil || p != nil {
				t.Errorf("Add = %v, %v; want an error", p, err)
			}
			if p, err := table.Check(addr("192.0.2.1"), ""); err == nil || p != nil {
				t.Errorf("Check = %v, %v; want an error", p, err)
			}
			if b, _ := os.ReadFile(victim); string(b) != "precious" {
				t.Errorf("the file linked to holds %q", b)
			}
		})
	}
}

func TestALockThatIsHeldDelaysNobodyForLong(t *testing.T) {
	table := newTable(t.TempDir())
	fail(t, table, "192.0.2.1", AuthFail, 4)
	holder, err := table.open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.close()
	if err := holder.lock(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if !refused(t, table, "192.0.2.1") {
		t.Error("Check waits for the lock")
	}
	if _, err := table.Add(addr("192.0.2.1"), "", NoAuth); err == nil ||
		!strings.Contains(err.Error(), "lock penalty state") || time.Since(begin) > 10*time.Second {
		t.Errorf("Add with the lock held = %v after %v", err, time.Since(begin))
	}
}

func TestATruncatedStateIsNoPenaltyAndIsRepaired(t *testing.T) {
	table := newTable(t.TempDir())
	fail(t, table, "192.0.2.1", AuthFail, 4)
	path := filepath.Join(table.Dir, stateName)
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 16, 39, 40, 41, 4095, 4096, len(all) - 1, len(all)} {
		if err := os.WriteFile(path, all[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := refused(t, table, "192.0.2.1"), n == len(all); got != want {
			t.Errorf("cut to %d bytes: refused = %v; want %v", n, got, want)
		}
		fail(t, table, "192.0.2.1", AuthFail, 4)
		if !refused(t, table, "192.0.2.1") {
			t.Errorf("cut to %d bytes: not repaired", n)
		}
	}
}

func TestAnyBitFlippedInASlotIsNoPenalty(t *testing.T) {
	table := newTable(t.TempDir())
	fail(t, table, "192.0.2.1", AuthFail, 4)
	path := filepath.Join(table.Dir, stateName)
	all, _ := os.ReadFile(path)
	at := bytes.LastIndex(all, []byte{0xff, 0xff, 192, 0, 2, 1}) - 10
	for bit := range slotSize * 8 {
		bad := bytes.Clone(all)
		bad[at+bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if refused(t, table, "192.0.2.1") {
			t.Errorf("bit %d flipped: refused", bit)
		}
	}
}

func TestPenaltiesFromBeforeABootAreNone(t *testing.T) {
	table := newTable(t.TempDir())
	fail(t, table, "192.0.2.1", AuthFail, 4)
	f, err := table.open(false)
	if err != nil || f.readHeader() != nil {
		t.Fatal(err)
	}
	defer f.close()
	now, _ := now()
	o := origin{source: table.source(addr("192.0.2.1"))}
	// The clock stood at thirty days then, and has begun again.
	if err := f.writeSlot(f.home(o), 0, slot{origin: o, expiry: now + 30*24*time.Hour, active: true}); err != nil {
		t.Fatal(err)
	}
	if refused(t, table, "192.0.2.1") {
		t.Error("refused for thirty days")
	}
}

func TestAFullFilesystemIsAnErrorAndNoPenalty(t *testing.T) {
	if os.Geteuid() != 0 {
		lacking(t, "only root can mount a small filesystem")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"); err != nil {
		lacking(t, "mount tmpfs: "+err.Error())
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	table := newTable(dir)
	os.WriteFile(dir+"/filler", make([]byte, 1<<20), 0o600)
	if p, err := table.Add(addr("192.0.2.1"), "", AuthFail); err == nil || p != nil {
		t.Errorf("Add on a full filesystem = %v, %v", p, err)
	}
	if p, err := table.Check(addr("192.0.2.1"), ""); p != nil || err != nil {
		t.Errorf("Check on a full filesystem = %v, %v", p, err)
	}
	os.Remove(dir + "/filler")
	table.Add(addr("192.0.2.1"), "", AuthFail) // the header fits, the table does not
	if p, err := table.Check(addr("192.0.2.1"), ""); p != nil || err != nil {
		t.Errorf("Check on a full filesystem = %v, %v", p, err)
	}
}

// Whatever the file holds, nobody is penalised by it who did nothing, nothing
// panics, and failures count again.
func FuzzState(f *testing.F) {
	f.Add([]byte{}, int64(0), []byte{192, 0, 2, 1})
	f.Add([]byte(magic), int64(4096), bytes.Repeat([]byte{0x20}, 16))
	f.Add(bytes.Repeat([]byte{0}, bucketSize), int64(headerSize), []byte{127, 0, 0, 1})
	f.Fuzz(func(t *testing.T, garbage []byte, at int64, from []byte) {
		peer, ok := netip.AddrFromSlice(from)
		if !ok {
			return
		}
		table := newTable(t.TempDir())
		table.Max = 1000 * time.Hour
		fail(t, table, "198.51.100.9", AuthFail, 4)
		path := filepath.Join(table.Dir, stateName)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		// Over the header, over the bucket that the peer will use, or as the fuzzer likes.
		s, err := table.open(false)
		if err != nil || s.readHeader() != nil {
			t.Fatal(err)
		}
		defer s.close()
		switch home := int64(headerSize + s.home(origin{source: table.source(peer)})*bucketSize); {
		case at < 0:
			at = home - at%bucketSize
		default:
			at %= stateSize
		}
		if _, err := file.WriteAt(garbage, at); err != nil {
			t.Fatal(err)
		}
		if table.source(peer) != table.source(addr("198.51.100.9")) {
			if p, err := table.Check(peer, ""); p != nil || err != nil {
				t.Fatalf("Check = %v, %v", p, err)
			}
		}
		if _, err := table.List(); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if _, err := table.Add(peer, "", AuthFail); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := table.Check(peer, ""); p == nil || err != nil {
			t.Fatalf("Check after four failures = %v, %v", p, err)
		}
		if st, _ := file.Stat(); st.Size() > stateSize+int64(len(garbage)) {
			t.Fatalf("the state has %d bytes", st.Size())
		}
	})
}

// Every slot that can be written is read back as it was, and no other bytes are a slot.
func FuzzSlot(f *testing.F) {
	f.Add(make([]byte, slotSize), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		s := &stateFile{}
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range s.key {
			s.key[i] = byte(r.Uint32())
		}
		b = append(b, make([]byte, slotSize)...)[:slotSize]
		if got, ok := s.decode(b); ok && !bytes.Equal(s.encode(got), b) {
			t.Fatalf("%x is read as %v, which is written as %x", b, got, s.encode(got))
		}
		binary.LittleEndian.PutUint32(b[28:], uint32(sipHash(&s.key, b[:28])))
		got, ok := s.decode(b)
		if !ok {
			return
		}
		if !bytes.Equal(s.encode(got), b) {
			t.Fatalf("%x is read as %v, which is written as %x", b, got, s.encode(got))
		}
		if again, ok := s.decode(s.encode(got)); !ok || again != got {
			t.Fatalf("%v is read back as %v", got, again)
		}
	})
}

// lacking ends a test for which this machine lacks something; in CI nothing may be lacking.
func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
