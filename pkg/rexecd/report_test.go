package rexecd

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"rexecd/pkg/audit"
	"rexecd/pkg/penalty"
)

func TestAReportArrivesAsItWasMade(t *testing.T) {
	for _, a := range []attempt{
		{},
		{session: "0123", peer: netip.MustParseAddrPort("192.0.2.7:40112"), claimed: "Alice", account: "alice", guest: true,
			authenticated: true, command: "echo \xff\n'x' \x01", rule: "a rule", client: "bob\n \xff", trusted: true,
			proxy: netip.MustParseAddr("2001:db8::9"), certificate: "ops-1 \"x\""},
		{peer: netip.MustParseAddrPort("[fe80::1%eth0]:1"), claimed: "\xff\n", invalid: true},
	} {
		for _, offence := range []penalty.Kind{noOffence, penalty.AuthFail, penalty.Protocol} {
			r := a.report(audit.Refused, errors.New("one\x00two\n"), offence)
			got, err := decodeReport(r.encode())
			if a.peer == (netip.AddrPort{}) {
				if err == nil {
					t.Error("a report without a peer was taken")
				}
				continue
			}
			if err != nil || !reflect.DeepEqual(got, r) {
				t.Errorf("%+v, %v; want %+v", got, err, r)
			}
		}
	}
}

func TestAReportThatIsNoneIsRefused(t *testing.T) {
	a := attempt{peer: netip.MustParseAddrPort("192.0.2.7:1")}
	r := a.report(audit.Failed, errors.New("x"), penalty.AuthFail)
	good := strings.Split(string(r.encode()), "\x00")
	for i, bad := range map[int]string{1: "192.0.2.7", 11: "proxy", 13: "-1", 14: "99", 15: "256", 16: "x"} {
		fields := append([]string{}, good...)
		fields[i] = bad
		if r, err := decodeReport([]byte(strings.Join(fields, "\x00"))); err == nil {
			t.Errorf("field %d = %q is taken: %+v", i, bad, r)
		}
	}
	for n := range reportFields {
		if _, err := decodeReport([]byte(strings.Join(good[:n], "\x00"))); err == nil {
			t.Errorf("%d fields are taken", n)
		}
	}
}
