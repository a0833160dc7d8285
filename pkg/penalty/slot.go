package penalty

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A slot is one source's entry in the table:
//
//	16 bytes  address, IPv4 as IPv4-mapped
//	 8 bytes  expiry, ns of CLOCK_BOOTTIME
//	 1 byte   bits of the address that count
//	 1 byte   kind
//	 1 byte   active
//	 1 byte   1 for IPv4
//	 4 bytes  checksum
type slot struct {
	source netip.Prefix
	expiry time.Duration // since boot
	kind   Kind
	active bool
}

func (s *slot) penalty(now time.Duration) *Penalty {
	return &Penalty{Source: s.source, Last: s.kind, Left: s.expiry - now, Active: s.active}
}

// outstanding tells whether there is time left. More than the maximum can only
// be from before a boot, or from before the maximum was lowered.
func (s *slot) outstanding(now, max time.Duration) bool {
	return now < s.expiry && s.expiry-now <= max
}

func (f *stateFile) encode(s slot) []byte {
	b := make([]byte, 0, slotSize)
	addr := s.source.Addr().As16()
	b = append(b, addr[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.expiry))
	b = append(b, byte(s.source.Bits()), byte(s.kind), flag(s.active), flag(s.source.Addr().Is4()))
	return binary.LittleEndian.AppendUint32(b, uint32(sipHash(&f.key, b)))
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// decode reads a slot; false if it is empty or was never written whole.
func (f *stateFile) decode(b []byte) (slot, bool) {
	if binary.LittleEndian.Uint32(b[28:]) != uint32(sipHash(&f.key, b[:28])) {
		return slot{}, false
	}
	addr := netip.AddrFrom16([16]byte(b[:16]))
	if b[27] == 1 {
		addr = addr.Unmap()
	}
	s := slot{
		source: netip.PrefixFrom(addr, int(b[24])),
		expiry: time.Duration(binary.LittleEndian.Uint64(b[16:])),
		kind:   Kind(b[25]),
		active: b[26] == 1,
	}
	return s, s.source.IsValid()
}

// find returns the source's slot with time outstanding, and its number or -1.
func (f *stateFile) find(b *bucket, source netip.Prefix, now, max time.Duration) (slot, int) {
	for i := range ways {
		if s, ok := f.decode(b.slot(i)); ok && s.source == source && s.outstanding(now, max) {
			return s, i
		}
	}
	return slot{}, -1
}

// victim is the number of the slot that a new source gets: a free one, else the
// one that would be free first.
func (f *stateFile) victim(b *bucket, now, max time.Duration) int {
	first, when := 0, time.Duration(0)
	for i := range ways {
		s, ok := f.decode(b.slot(i))
		if !ok || !s.outstanding(now, max) {
			return i
		}
		if i == 0 || s.expiry < when {
			first, when = i, s.expiry
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
