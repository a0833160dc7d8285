package attack

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rexecd/tests/lab"
)

// listen listens on the loopback, in a SO_REUSEPORT group of root's.
func listen(t testing.TB) int {
	t.Helper()
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	l, err := shared.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// What is left of a connection that the command dissolves is a socket of the user's.
func TestADissolvedConnectionIsNoSocketOfRoots(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dissolve := compile(t, "dissolve.c")
	service, closed := listen(t), listen(t)
	lab.Run(t, "nft", "add", "table", "inet", "owners")
	lab.Run(t, "nft", "add", "chain", "inet", "owners", "out", "{ type filter hook output priority 0; }")
	lab.Run(t, "nft", "add", "rule", "inet", "owners", "out", "tcp", "dport", fmt.Sprint(closed), "meta", "skuid", "!=", "0", "drop")
	s := serve(t, lab.Handler{})
	report := openDir(t) + "/report"
	session := lab.Open(t, s.Addr, u.Name, u.Password, fmt.Sprintf("%s %d %d %s", dissolve, service, closed, report)).Started(t)
	s.Process(t, 0).Wait(t)
	session.Primary.Close()
	got := read(report)
	for _, fd := range []string{"0", "2"} {
		for _, want := range []string{"owner: 1", "dissolve: yes", "bind 512: Permission denied", "join: Address already in use", "mark: Operation not permitted"} {
			if !strings.Contains(got, fd+" "+want+"\n") {
				t.Errorf("descriptor %s: no %q in %q", fd, want, got)
			}
		}
		if strings.Contains(got, fd+" listens low: 1") {
			t.Errorf("descriptor %s listens on a port of root's: %q", fd, got)
		}
	}
	// What a super-server accepted keeps the credentials it was opened with: the primary is this
	// test's own, root's.
	if strings.Contains(got, "2 reach: yes\n") {
		t.Errorf("the stderr connection passes where root may: %q", got)
	}
}
