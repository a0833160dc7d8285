package rsh

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// Behind a proxy the client's port is the proxy's word, and a reserved port of the proxy's own is
// not the client's: nobody is let in for it. A password is one.
func TestNobodyBehindAProxyIsTrusted(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 someone\n192.0.2.7 someone\n")
	s := serve(t, "proxy_from = [\"127.0.0.1\"]\n"+trust, trustStack, lab.Handler{})
	for i, client := range []string{"192.0.2.7", "127.0.0.1"} {
		for _, tt := range []struct{ user, want string }{
			{u.Name, permissionDenied}, {u.Name + "/" + u.Password, "\x00" + u.Name + "\n"},
		} {
			conn := dial(t, 650+i, s.Addr)
			fmt.Fprintf(conn, "PROXY TCP4 %s 198.51.100.1 1001 514\r\n\x00someone\x00%s\x00id -un\x00", client, tt.user)
			if all, err := io.ReadAll(conn); string(all) != tt.want || err != nil {
				t.Errorf("%s from %s: %q, %v; want %q", tt.user, client, all, err, tt.want)
			}
			conn.Close()
		}
		s.Log.Wait(t, "Failed rhosts for "+u.Name+" from "+client+" port 1001 as someone: the client is behind a proxy")
		s.Log.Wait(t, "Accepted password for "+u.Name+" from "+client+" port 1001 as someone")
	}
	// Nor does this host's reserved port go where a header says.
	conn := dial(t, 655, s.Addr)
	io.WriteString(conn, "PROXY TCP4 127.0.0.1 198.51.100.1 1001 514\r\n600\x00")
	if all, err := io.ReadAll(conn); !strings.HasPrefix(string(all), "\x01") || err != nil {
		t.Errorf("a reserved stderr port: %q, %v", all, err)
	}
	s.Log.Wait(t, "stderr port 600 is reserved, and the client is behind a proxy")
}
