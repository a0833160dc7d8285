package settings

import (
	"strings"
	"testing"
)

func TestGuestsNeedAccountsAndNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"[guest]\naccounts = ['a']":                          "main:2:1: guest.accounts is set, and guest.from is empty: guests need both",
		"[guest]\nfrom = ['192.0.2.0/24']":                   "main:2:1: guest.from is set, and guest.accounts is empty: guests need both",
		"[guest]\naccounts = ['a']\nfrom = []":               "main:2:1: guest.accounts is set, and guest.from is empty",
		"[guest]\naccounts = ['a']\nfrom = ['192.0.2.0/24']": "",
		"[guest]\nname = 'a'":                                "",
	} {
		_, _, err := readServer(write(t, "main", text)+"/main", "")
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want %q", text, err, want)
		}
	}
}
