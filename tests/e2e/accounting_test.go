package e2e

import (
	"strconv"
	"testing"

	"rexecd/tests/lab"
)

func TestTheClosingRecordHasTheCommandsTimeAndMemory(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{})
	// 200 MB and a busy time, in a child that the shell waits for.
	out(t, s.Addr, request(u, `perl -e '$a = "x" x 100_000_000; $b = $a; 1 while (times)[0] < 0.3'; :`))
	r := s.Log.Wait(t, "Session closed for "+u.Name)
	wantMatch(t, "message", r["MESSAGE"], `Session closed for `+u.Name+` from 127\.0\.0\.1 port \d+: exit status 0 after \d+\.\ds, cpu \d+\.\ds, \d{3} MB`)
	if n, err := strconv.Atoi(r["REXEC_CPU_USEC"]); err != nil || n < 300_000 || n > 60_000_000 {
		t.Errorf("REXEC_CPU_USEC = %q", r["REXEC_CPU_USEC"])
	}
	if n, err := strconv.Atoi(r["REXEC_PEAK_BYTES"]); err != nil || n < 200_000_000 || n > 900_000_000 {
		t.Errorf("REXEC_PEAK_BYTES = %q", r["REXEC_PEAK_BYTES"])
	}
}

func TestRecordsOfOneConnectionShareARandomSessionID(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	cold := serve(t, lab.Handler{})
	warm := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "1")
	seen := map[string]int{}
	for range 2 {
		out(t, cold.Addr, request(u, "true"))
		out(t, warm.addr, request(u, "true"))
	}
	for _, log := range []*lab.Log{cold.Log, warm.log} {
		lab.Eventually(t, "four records", func() bool { return len(log.Records()) == 4 })
		for _, r := range log.Records() {
			wantMatch(t, "REXEC_SESSION_ID", r["REXEC_SESSION_ID"], "[0-9a-f]{32}")
			seen[r["REXEC_SESSION_ID"]]++
		}
	}
	for id, n := range seen {
		if n != 2 {
			t.Errorf("%d records have the id %s; want Accepted and Session closed", n, id)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d ids for 4 connections", len(seen))
	}
}
