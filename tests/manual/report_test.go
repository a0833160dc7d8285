package manual

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"rexecd/pkg/audit"
	"rexecd/tests/lab"
)

// reportOnLogs runs an example on a host that has had a session: in its journal, and in syslog's
// rotated files. The private host has no journald, and so journalctl is a script here;
// tests/platform/systemd asks the real one.
func reportOnLogs(t *testing.T, e Example) {
	session := audit.Event{Kind: audit.Accepted, User: "alice", Peer: netip.MustParseAddrPort("192.0.2.7:1023")}
	now := time.Now().Add(-time.Second)
	line := fmt.Sprintf("%s host in.rexecd[1]: %s\n", now.Format(time.Stamp), session.Message())
	entry := fmt.Sprintf(`{"__REALTIME_TIMESTAMP":"%d","SYSLOG_IDENTIFIER":"in.rexecd","_UID":"0","_TRANSPORT":"syslog","MESSAGE":%q}`+"\n",
		now.UnixMicro(), session.Message())
	for _, name := range []string{"auth.log", "auth.log.1", "auth.log.2"} {
		write(t, "/var/log/"+name, line, 0o644)
	}
	write(t, "/run/journal.json", entry, 0o644)
	write(t, "/usr/bin/journalctl", "#!/bin/sh\ncat /run/journal.json\n", 0o755)
	run(t, "gzip", "-f", "/var/log/auth.log.2")
	want := "alice"
	if strings.Contains(e.Text(), "auth.log*") {
		want = `id="sessions">3<`
	}
	out := run(t, "bash", "-e", "-o", "pipefail", "-c", e.Text())
	if _, file, found := strings.Cut(e.Text(), "-html "); found {
		page, err := os.ReadFile(strings.TrimSpace(file))
		if err != nil {
			t.Fatal(err)
		}
		out = string(page)
	}
	if !strings.Contains(out, want) {
		t.Errorf("the report lacks %s:\n%s", want, out)
	}
	if out := run(t, lab.Rexecd(t), "-report", "-user", "bob"); !strings.Contains(out, "There is no record.") {
		t.Errorf("a report of nobody: %s", out)
	}
}
