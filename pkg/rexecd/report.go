package rexecd

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"rexecd/pkg/audit"
	"rexecd/pkg/penalty"
)

// A report is the record and the charge of a connection that another process of this
// program is to make: it has no password. An ordinary user who starts that process
// with one of their own invention has their own rights in it: the log shows who they are,
// and the penalties' state is root's.
type report struct {
	attempt attempt
	pid     int // of the connection's process
	kind    audit.Kind
	reason  string
	offence penalty.Kind
	status  int // the exit status of that process
}

// report is one of what is known so far, for a process that ends for a hung call.
func (a *attempt) report(kind audit.Kind, reason error, offence penalty.Kind) report {
	return report{*a, pid, kind, reason.Error(), offence, 1}
}

// pid is this process's, asked once.
var pid = os.Getpid()

const reportFields = 18

// encode joins the fields by NULs. Those that come from the peer or from accounts
// have none; the reason, which may, is last.
func (r *report) encode() []byte {
	a, proxy := &r.attempt, ""
	if a.proxy.IsValid() {
		proxy = a.proxy.String()
	}
	return []byte(strings.Join([]string{
		a.session, a.peer.String(), a.claimed, a.account, strconv.FormatBool(a.invalid), strconv.FormatBool(a.guest),
		strconv.FormatBool(a.authenticated), a.command, a.rule, a.client, strconv.FormatBool(a.trusted),
		proxy, a.certificate,
		strconv.Itoa(r.pid), strconv.Itoa(int(r.kind)), strconv.Itoa(int(r.offence)), strconv.Itoa(r.status), r.reason,
	}, "\x00"))
}

func decodeReport(text []byte) (r report, err error) {
	f := strings.SplitN(string(text), "\x00", reportFields)
	if len(f) < reportFields {
		return r, fmt.Errorf("a report of %d fields: the server makes them for itself", len(f))
	}
	number := func(s string, most int) int {
		n, e := strconv.Atoi(s)
		if e == nil && (n < 0 || n > most) {
			e = fmt.Errorf("%d is above %d", n, most)
		}
		err = errors.Join(err, e)
		return n
	}
	flag := func(s string) bool { return s == "true" }
	a := attempt{session: f[0], claimed: f[2], account: f[3], invalid: flag(f[4]), guest: flag(f[5]),
		authenticated: flag(f[6]), command: f[7], rule: f[8], client: f[9], trusted: flag(f[10]), certificate: f[12]}
	var e error
	a.peer, e = netip.ParseAddrPort(f[1])
	if f[11] != "" {
		var bad error
		a.proxy, bad = netip.ParseAddr(f[11])
		e = errors.Join(e, bad)
	}
	r = report{attempt: a, pid: number(f[13], 1<<30), kind: audit.Kind(number(f[14], int(audit.Trace))),
		offence: penalty.Kind(number(f[15], int(noOffence))), status: number(f[16], 255), reason: f[17]}
	return r, errors.Join(err, e)
}
