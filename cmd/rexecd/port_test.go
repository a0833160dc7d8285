package main

import (
	"os"
	"strings"
	"testing"
)

func TestTheKernelsTableTellsWhoListens(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0200 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:0200 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 0100007F:0201 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
   3: 00000000000000000000000000000000:0200 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4714 1
`
	if got := strings.Join(listening(table, 512), " "); got != "4711 4714" {
		t.Errorf("listening = %q; want the two sockets in LISTEN on port 512", got)
	}
}

func TestThePortOfAServiceIsFoundByItsNames(t *testing.T) {
	const text = "# exec 1/tcp\nexec\t\t512/udp\nbiff 512/udp comsat\nother 513/tcp exec # alias\nexec 512/tcp\n"
	for name, want := range map[string]int{"other": 513, "exec": 513, "biff": 0, "comsat": 0, "alias": 0, "nothing": 0} {
		if got := portOf(text, name); got != want {
			t.Errorf("portOf(%q) = %d; want %d", name, got, want)
		}
	}
}

func TestAProcessCannotNameItselfALineOfCheck(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/comm", []byte("x\nok   \x1b[2J\xff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := commandName(dir); got != "x?ok   ?[2J?" {
		t.Errorf("commandName = %q", got)
	}
}
