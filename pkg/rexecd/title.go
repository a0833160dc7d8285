package rexecd

import "net/netip"

// mostName is how much of an account's name a title shows.
const mostName = 64

// title says who is served, for whoever runs ps(1) on a terminal: directories may
// have names that are no text.
func title(account string, peer netip.Addr) string {
	if len(account) > mostName {
		account = account[:mostName-3] + "..."
	}
	name := []byte(account)
	for i, c := range name {
		if c < ' ' || c > '~' {
			name[i] = '?'
		}
	}
	return string(name) + " [" + peer.Unmap().String() + "]"
}
