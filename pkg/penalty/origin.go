package penalty

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An origin is what a penalty applies to: a source, or one user behind a shared
// source.
//
// Many users come from the address of a proxy, a gateway or a mainframe, and if
// that address were the origin, whoever mistypes a password would lock out the
// others. There the address and the user name together are the origin. The price
// is that guesses at many users from such an address are not slowed down, and
// failures before the name is known cost nothing.
type origin struct {
	source netip.Prefix
	user   uint32 // 0: the source itself
}

// origin returns the origin of a user at a source. Instead of the name there is
// a keyed hash of it: names are up to 256 bytes of an unauthenticated peer's
// choice, sometimes a password that was typed too early, and belong to the log.
// Two users that share a hash share their penalties, and nobody without the key
// can look for such a pair; guessing at the other user's own name is easier.
func (f *stateFile) origin(source netip.Prefix, shared bool, user string) origin {
	if !shared {
		return origin{source: source}
	}
	addr := source.Addr().As16()
	mark := uint32(sipHash(&f.key, append(addr[:], fold(user)...)))
	if mark == 0 {
		mark = 1
	}
	return origin{source, mark}
}

// fold returns what the spellings of one user name have in common where names
// have no case, as in Active Directory, or LDAP, which also ignores spaces.
// Otherwise each spelling would have its own budget of guesses. It does not ask
// which account a name belongs to, so no penalty shows that either. What else a
// directory takes for one name, such as letters with and without accents, is not
// known here; pam_faillock counts by account.
func fold(user string) string {
	if !utf8.ValidString(user) {
		return foldBytes(user)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, user)
}

// foldBytes does the same for ASCII alone: in an older encoding, such as Latin-1,
// the other bytes are letters that must stay distinct.
func foldBytes(user string) string {
	var b []byte
	for _, c := range []byte(user) {
		switch {
		case c == ' ', '\t' <= c && c <= '\r':
		case 'A' <= c && c <= 'Z':
			b = append(b, c-'A'+'a')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// home is the number of the origin's bucket.
func (f *stateFile) home(o origin) int {
	addr := o.source.Addr().As16()
	switch {
	case o.user != 0:
		key := binary.LittleEndian.AppendUint32(addr[:], o.user)
		return sharedRegion + int(sipHash(&f.key, key)%perRegion)
	case o.source.Addr().Is6():
		return perRegion + int(sipHash(&f.key, addr[:])%perRegion)
	}
	return int(sipHash(&f.key, addr[:]) % perRegion)
}

// source is the network that a peer answers for. An IPv4 peer of an IPv6 socket
// is an IPv4 peer. Any user of this host has every loopback address, so all of
// them are one source; each link-local address is a source of its own, or one
// host of a link could lock out its neighbours.
func (t *Table) source(peer netip.Addr) netip.Prefix {
	peer = plain(peer)
	bits := t.Bits6
	switch {
	case peer.Is4() && peer.IsLoopback():
		bits = 8
	case peer.Is4():
		bits = t.Bits4
	case peer.IsLoopback(), peer.IsLinkLocalUnicast():
		bits = 128
	}
	source, err := peer.Prefix(bits)
	if err != nil {
		return netip.PrefixFrom(peer, peer.BitLen())
	}
	return source
}

func (t *Table) exempt(peer netip.Addr) bool {
	return !peer.IsValid() || within(t.Exempt, peer)
}

// shared reports whether many users are behind a peer's address.
func (t *Table) shared(peer netip.Addr) bool { return within(t.Shared, peer) }

func within(networks []netip.Prefix, peer netip.Addr) bool {
	peer = plain(peer)
	for _, p := range networks {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

func plain(peer netip.Addr) netip.Addr { return peer.Unmap().WithZone("") }
