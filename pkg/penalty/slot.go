package penalty

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A slot is one origin's entry in the table:
//
//	16 bytes  address, IPv4 as IPv4-mapped
//	 4 bytes  hash of the user name, 0 for none
//	 6 bytes  expiry, ticks of CLOCK_BOOTTIME
//	 1 byte   bits of the address that count
//	 1 byte   kind, 64 if it is active, 128 for IPv4
//	 4 bytes  checksum
type slot struct {
	origin
	expiry time.Duration // since boot
	kind   Kind
	active bool
}

// A tick is the unit of an expiry in a slot: 48 bits of them last longer than a
// time.Duration can.
const tick = 100 * time.Microsecond

const (
	activeFlag = 1 << 6
	ipv4Flag   = 1 << 7
)

func (s *slot) penalty(now time.Duration) *Penalty {
	return &Penalty{Source: s.source, User: s.user, Last: s.kind, Left: s.expiry - now, Active: s.active}
}

// outstanding reports whether there is time left. More than the maximum can only
// be from before a boot, or from before the maximum was lowered.
func (s *slot) outstanding(now, max time.Duration) bool {
	return now < s.expiry && s.expiry-now <= max
}

// encode rounds the expiry down: rounded up it could exceed the maximum.
func (f *stateFile) encode(s slot) []byte {
	b := make([]byte, 0, slotSize)
	addr := s.source.Addr().As16()
	b = append(b, addr[:]...)
	b = binary.LittleEndian.AppendUint32(b, s.user)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.expiry/tick))[:26]
	flags := byte(s.kind)
	if s.active {
		flags |= activeFlag
	}
	if s.source.Addr().Is4() {
		flags |= ipv4Flag
	}
	b = append(b, byte(s.source.Bits()), flags)
	return binary.LittleEndian.AppendUint32(b, uint32(sipHash(&f.key, b)))
}

// decode reads a slot; false if it is empty or was never written completely.
func (f *stateFile) decode(b []byte) (slot, bool) {
	if binary.LittleEndian.Uint32(b[28:]) != uint32(sipHash(&f.key, b[:28])) {
		return slot{}, false
	}
	ticks := binary.LittleEndian.Uint64(b[18:]) >> 16
	if ticks > math.MaxInt64/uint64(tick) {
		return slot{}, false
	}
	addr := netip.AddrFrom16([16]byte(b[:16]))
	if b[27]&ipv4Flag != 0 {
		if !addr.Is4In6() {
			return slot{}, false
		}
		addr = addr.Unmap()
	}
	s := slot{
		origin: origin{netip.PrefixFrom(addr, int(b[26])), binary.LittleEndian.Uint32(b[16:])},
		expiry: time.Duration(ticks) * tick,
		kind:   Kind(b[27] &^ (activeFlag | ipv4Flag)),
		active: b[27]&activeFlag != 0,
	}
	return s, s.source.IsValid()
}

// find returns the origin's slot with time outstanding, and its number or -1.
func (f *stateFile) find(b *bucket, o origin, now, max time.Duration) (slot, int) {
	for i := range ways {
		if s, ok := f.decode(b.slot(i)); ok && s.origin == o && s.outstanding(now, max) {
			return s, i
		}
	}
	return slot{}, -1
}

// victim is the number of the slot that a new origin of the source gets: a free
// one, else that which would be free first among those of the source that has
// most of the bucket; of the new origin's own source, if that has as many. So
// whoever makes up user names behind a shared source pushes out names of his own,
// and never the last entry of another source while any source has two. Unshared
// sources have one slot each.
func (f *stateFile) victim(b *bucket, source netip.Prefix, now, limit time.Duration) int {
	var slots [ways]slot
	for i := range ways {
		s, ok := f.decode(b.slot(i))
		if !ok || !s.outstanding(now, limit) {
			return i
		}
		slots[i] = s
	}
	count := func(source netip.Prefix) (n int) {
		for i := range slots {
			if slots[i].source == source {
				n++
			}
		}
		return n
	}
	own, most := count(source), 0
	for i := range slots {
		most = max(most, count(slots[i].source))
	}
	first := -1
	for i := range slots {
		gives := count(slots[i].source) == most && (own < most || slots[i].source == source)
		if gives && (first < 0 || slots[i].expiry < slots[first].expiry) {
			first = i
		}
	}
	return first
}

// now is the time since boot. Nobody can set that clock, and it goes on while
// the host sleeps.
func now() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}

// sipHash is SipHash-2-4 (Aumasson and Bernstein), a keyed hash for short
// input: without the key nobody can choose addresses that share a bucket.
func sipHash(key *[16]byte, p []byte) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])
	v0, v1 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d
	v2, v3 := k0^0x6c7967656e657261, k1^0x7465646279746573
	rounds := func(n int) {
		for range n {
			v0, v2 = v0+v1, v2+v3
			v1, v3 = bits.RotateLeft64(v1, 13)^v0, bits.RotateLeft64(v3, 16)^v2
			v0 = bits.RotateLeft64(v0, 32)
			v2, v0 = v2+v1, v0+v3
			v1, v3 = bits.RotateLeft64(v1, 17)^v2, bits.RotateLeft64(v3, 21)^v0
			v2 = bits.RotateLeft64(v2, 32)
		}
	}
	last := uint64(len(p)) << 56
	for ; len(p) >= 8; p = p[8:] {
		m := binary.LittleEndian.Uint64(p)
		v3 ^= m
		rounds(2)
		v0 ^= m
	}
	for i, c := range p {
		last |= uint64(c) << (8 * i)
	}
	v3 ^= last
	rounds(2)
	v0 ^= last
	v2 ^= 0xff
	rounds(4)
	return v0 ^ v1 ^ v2 ^ v3
}
